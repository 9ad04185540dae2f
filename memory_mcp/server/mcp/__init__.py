"""The MCP SDK lives here: transport, adapters, error table."""
