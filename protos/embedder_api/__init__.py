"""The wire between the front and the daemon; it imports neither."""

__version__ = "0.1.0"
"""Version of the distribution: front, daemon and wire are released together."""
