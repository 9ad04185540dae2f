"""What a client's hooks are told, what they answer, and what is remembered of that."""
