"""Who may do what; knows no MCP SDK."""
