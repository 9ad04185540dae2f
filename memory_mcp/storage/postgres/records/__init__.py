"""Memories as rows: reading, writing, counting, transfer."""
