"""The front: one light MCP process per client, which stores memories in SQLite and gets vectors from the daemon."""
