"""How every part is, what is wrong with it, and what fixes it."""
