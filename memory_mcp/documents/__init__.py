"""Documents: reads files in a sandbox, cuts them into sections, and keeps the store current with them."""
