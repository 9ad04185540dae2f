"""Language models behind HTTP servers."""
