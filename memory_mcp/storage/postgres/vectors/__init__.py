"""Chunks, their vectors and the queue, with pgvector."""
