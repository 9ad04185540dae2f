"""A model on disk: where it lies, what its files say, and which space that makes."""
