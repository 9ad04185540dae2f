"""The use cases of memories: storing, updating, deleting, cutting into chunks, embedding within a budget."""
