"""Stores: each engine is a folder here, and one line in the factory."""
