"""Chunks and their vectors in sqlite-vec, and the binary index for large namespaces."""
