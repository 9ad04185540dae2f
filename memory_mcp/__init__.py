"""The front: one light MCP process per client, which keeps memories in SQLite and asks the daemon for vectors."""
