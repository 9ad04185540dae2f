"""Adapters: MCP over stdio and HTTP, and pages; the MCP SDK is imported below here and nowhere else."""

from memory_mcp.server.lean import defer

# Their `__init__` modules import the SDK's client, MCPServer, httpx and cryptography, which a front never uses.
defer("mcp", "mcp.server")
# Its `__init__` imports all tools, which wait until the client has their list.
defer("memory_mcp.tools")
