"""How stable ranks are under other choices, crossed with sampling error."""
