"""What the SDK keeps to itself and we cannot do without; nothing else of ours touches a private name of it.

`tests/architecture/test_sdk.py` names each, and fails where an upgrade has dropped one.
"""

from __future__ import annotations

from mcp.server.connection import Connection
from mcp.server.session import ServerSession
from mcp.shared._context_streams import ContextReceiveStream, ContextSendStream, create_context_streams

__all__ = ["ContextReceiveStream", "ContextSendStream", "connection_of", "create_context_streams"]


def connection_of(session: ServerSession) -> Connection:
    """Return the connection that a request came by, which outlives the request."""
    connection: Connection = session._connection  # noqa: SLF001 - the SDK has no other way to it
    return connection
