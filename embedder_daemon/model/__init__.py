"""A model on disk: its location, its configuration, and its space."""
