"""The use cases of memories: storing, updating, deleting, chunking, embedding within a budget."""
