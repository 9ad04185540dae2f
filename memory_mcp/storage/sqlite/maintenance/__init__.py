"""Copies, checks and findings of the file."""
