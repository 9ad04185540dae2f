"""Adapters: MCP over stdio and HTTP, and pages; the MCP SDK is imported below here and nowhere else."""

from memory_mcp.server.lean import defer

# Their `__init__` import the SDK's client, its MCPServer, httpx and cryptography, none of which a front uses.
defer("mcp", "mcp.server")
