"""The MCP adapter: transport, handlers and error table. Only this package imports the MCP SDK."""
