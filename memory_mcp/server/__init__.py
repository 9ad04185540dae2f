"""The MCP SDK lives here and nowhere else: transport, adapters, error table."""

from memory_mcp.server.lean import defer

# Their `__init__` import the SDK's client, its MCPServer, httpx and cryptography, none of which a front uses.
defer("mcp", "mcp.server")
