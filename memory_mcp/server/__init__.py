"""The MCP SDK lives here and nowhere else: transport, adapters, error table."""
