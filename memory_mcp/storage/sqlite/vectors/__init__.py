"""Chunks and their vectors in sqlite-vec, and the index of signs for large namespaces."""
