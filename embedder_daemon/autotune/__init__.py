"""Measures which engine is the fastest on this machine."""
