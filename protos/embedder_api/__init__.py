"""The wire between the memory front and the embedder daemon; it imports nothing of either."""
