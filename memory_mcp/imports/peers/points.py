"""The folder of qdrant_client without a server: `collection/NAME/storage.sqlite`, whose points are pickles.

A pickle is a program. This one may make nothing but empty objects that stand for qdrant_client's.
"""

from __future__ import annotations

import io
import json
import pickle
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from memory_mcp.imports.model import Remark, Source, UnreadableError
from memory_mcp.imports.peers.database import as_blob, columns_of, opened

ALLOWED: Final = "qdrant_client."
MAX_POINT: Final = 64 << 20
POINTS: Final = f"SELECT rowid, {as_blob('point')} FROM points ORDER BY rowid"  # noqa: S608 - constants
REFUSED: Final = Remark("bad", "its pickle is damaged, or holds what no point holds")


@dataclass(frozen=True, slots=True)
class Point:
    """A point without its vector."""

    source_id: str
    collection: str
    """Empty for a file that was named alone: its folder is not known."""
    payload: Mapping[str, object]
    file_at: datetime
    """When its collection was changed last."""


class _StandIn:
    """Takes the state of an object of qdrant_client, and does nothing with it."""

    def __init__(self, *_: object) -> None:
        self.state: object = None

    def __setstate__(self, state: object) -> None:
        self.state = state


class _Unpickler(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str) -> type:
        """Return a stand-in for what is of qdrant_client.

        Raises:
            UnpicklingError: it is of something else.
        """
        if module_name.startswith(ALLOWED):
            return type(global_name, (_StandIn,), {})
        raise pickle.UnpicklingError("not of qdrant_client")


def points(source: Source, files: list[Path]) -> Iterator[Point | Remark]:
    """Yield the points of collections, and a remark for each that cannot be read.

    Raises:
        UnreadableError: a file is none of qdrant_client's.
    """
    for file in files:
        collection = "" if source.path.is_file() else file.parent.name
        at = source.written_at(file)
        with opened(file) as db:
            if not {"id", "point"} <= columns_of(db, "points"):
                raise UnreadableError(f"{file.name} has no points of qdrant_client; name the folder of its collections")
            for number, blob in db.execute(POINTS):
                yield _point(collection, f"{collection} row {number}".strip(), blob, at)


def _point(collection: str, place: str, blob: object, file_at: datetime) -> Point | Remark:
    try:
        source_id, payload = _unpickled(blob)
    except Exception:  # noqa: BLE001 - a pickle can raise anything; it costs itself
        return Remark(REFUSED.kind, REFUSED.what, place)
    return Point(source_id, collection, payload, file_at)


def _unpickled(blob: object) -> tuple[str, dict[str, object]]:
    """Return the id of a point, and its payload as JSON has it.

    Raises:
        Exception: it is no point.
    """
    if not isinstance(blob, bytes) or len(blob) > MAX_POINT:
        raise TypeError
    point = _Unpickler(io.BytesIO(blob)).load()
    fields = point.state["__dict__"]
    payload = json.loads(json.dumps(fields["payload"] or {}, allow_nan=False))
    if not isinstance(payload, dict):
        raise TypeError
    return str(fields["id"]), payload
