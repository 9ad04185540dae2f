"""The SDK's private names that we need; no other module touches one.

`tests/architecture/test_sdk.py` lists them, and fails if an upgrade drops one.
"""

from __future__ import annotations

from mcp.server.connection import Connection
from mcp.server.session import ServerSession
from mcp.shared._context_streams import ContextReceiveStream, ContextSendStream, create_context_streams

__all__ = ["ContextReceiveStream", "ContextSendStream", "connection_of", "create_context_streams"]


def connection_of(session: ServerSession) -> Connection:
    """Return the connection of a request, which outlives the request."""
    connection: Connection = session._connection  # noqa: SLF001 - the SDK has no public access to it
    return connection
