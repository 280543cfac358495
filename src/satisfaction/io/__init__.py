"""Files to tables and tables to files; nothing statistical. One module a file shape."""
