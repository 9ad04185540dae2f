"""How the daemon gets its interpreter, its packages, its model and its place in the system."""
