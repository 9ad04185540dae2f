"""Request id and error net: every request has an id, and whatever fails below becomes an answer."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable

from mcp.shared.exceptions import MCPError
from pydantic import BaseModel

from memory_mcp.domain.errors import MemoryMcpError
from memory_mcp.domain.request import REQUEST_ID
from memory_mcp.server import errors
from memory_mcp.server.chain.asked import Asked


async def catch(asked: Asked, proceed: Callable[[], Awaitable[BaseModel]]) -> BaseModel:
    """Answer a failure of a tool with a result, any other with the protocol's error.

    Raises:
        MCPError: the protocol's error.
    """
    request_id = uuid.uuid4().hex
    token = REQUEST_ID.set(request_id)
    try:
        return await proceed()
    except MCPError:
        raise
    except MemoryMcpError as error:
        if asked.is_call:
            return errors.to_result(error)
        raise errors.to_protocol(error) from error
    except Exception as error:
        _log(asked)
        if asked.is_call:
            return errors.internal(request_id)
        raise errors.internal_protocol(request_id) from error
    finally:
        REQUEST_ID.reset(token)


def _log(asked: Asked) -> None:
    import structlog  # noqa: PLC0415 - not before the handshake

    what = asked.tool.name if asked.tool else asked.ctx.method
    structlog.get_logger(__name__).exception("a request failed", what=what)
