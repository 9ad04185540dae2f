"""Asks a client for its roots: the folders that its user has opened in it."""

from __future__ import annotations

from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

import mcp_types as types
from mcp.server.session import ServerSession
from mcp.shared.exceptions import MCPError
from pydantic import ValidationError

ANSWER_S: Final = 5.0
"""Seconds that the client may take."""
MOST: Final = 100
"""Roots that are looked at; more are ignored."""


async def client_roots(session: ServerSession) -> tuple[Path, ...]:
    """Return the client's folders; none if it has no roots, or does not answer in time.

    They are asked for again by each call that needs them: a client changes them when its user opens another folder.
    """
    return await roots_in_time(session) or ()


async def roots_in_time(session: ServerSession) -> tuple[Path, ...] | None:
    """Return the client's folders; none if it has no roots, None if it has some and gave no answer."""
    offered = session.client_capabilities
    if offered is None or offered.roots is None:
        return ()
    try:
        # Not session.list_roots: it warns that the protocol of 2026-07-28 has no roots, and earlier ones have them.
        listed = await session.send_request(types.ListRootsRequest(), types.ListRootsResult, ANSWER_S)
    except (MCPError, ValidationError):  # the client refuses, is late, or answers with something else
        return None
    paths = (_path(str(root.uri)) for root in listed.roots[:MOST])
    return tuple(path for path in paths if path is not None and path.is_absolute())


def _path(uri: str) -> Path | None:
    parts = urlsplit(uri)
    if parts.scheme != "file" or parts.netloc not in {"", "localhost"}:
        return None
    return Path(unquote(parts.path))
