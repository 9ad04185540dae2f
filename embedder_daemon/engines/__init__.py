"""Engines: each is one module behind the port in `base`, imported only if it is chosen."""
