"""The vectors: a table for each space."""
