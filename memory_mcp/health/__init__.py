"""Health checks: the state of each part, what is wrong, and what fixes it."""
