"""The wire between the memory front and the embedder daemon; it imports nothing of either."""

__version__ = "0.1.0"
"""Of the distribution: front, daemon and wire are released together."""
