"""Sources of context: other systems that are asked, each kind in one file."""
