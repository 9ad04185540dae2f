"""Cursors of a list: where the next page begins, in words that the reader knows."""

from __future__ import annotations

import contextlib
import json
from datetime import datetime
from typing import Final

from memory_mcp.domain.errors import InvalidArgumentError
from memory_mcp.storage.rows import to_json, to_micros

LAST: Final = 2**63 - 1
"""The largest integer of a database, for keys and times."""


def cursor_of(moment: datetime, memory_id: str) -> str:
    """Return a cursor made of what the reader knows; a key would reveal how many memories other namespaces have."""
    import base64  # noqa: PLC0415 - who reads the first page needs none

    return base64.urlsafe_b64encode(to_json([to_micros(moment), memory_id]).encode()).decode()


def place_of(cursor: str) -> tuple[int, str]:
    """Return (moment, id) of a cursor, the moment in microseconds.

    Raises:
        InvalidArgumentError: it is none of ours.
    """
    import base64  # noqa: PLC0415 - likewise

    with contextlib.suppress(ValueError, RecursionError):
        match json.loads(base64.urlsafe_b64decode(cursor.encode())):
            case [int(moment), str(memory_id)] if abs(moment) <= LAST:
                return moment, memory_id
    raise InvalidArgumentError("cursor", "is not one that memory_list returned; omit it for the first page")
