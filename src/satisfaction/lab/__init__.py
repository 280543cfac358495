"""JupyterLab as the door: the notebooks executed (`notebooks`), a form to start from (`launcher`), the server (`server`)."""

from .launcher import launch
from .notebooks import exported, find_notebooks, nothing_for, run_notebooks
from .server import serve

__all__ = ["exported", "find_notebooks", "launch", "nothing_for", "run_notebooks", "serve"]
