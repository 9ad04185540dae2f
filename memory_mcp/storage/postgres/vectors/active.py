"""The spaces that a store knows, and which of them is active."""

from __future__ import annotations

from typing import cast

from memory_mcp.domain.models import Space
from memory_mcp.storage.postgres.db import locks
from memory_mcp.storage.postgres.db.session import PgSession


def active_space(db: PgSession) -> tuple[int, Space] | None:
    """Return the active space with its number; None before the first vector."""
    row = db.row("SELECT number, id, dimensions FROM spaces WHERE active")
    if row is None:
        return None
    number, space_id, dimensions = cast("tuple[int, str, int]", row)
    return number, Space(space_id, dimensions)


def number_of(db: PgSession, space: Space) -> int | None:
    """Return the number of a space; None if the store has no such space."""
    number = db.value("SELECT number FROM spaces WHERE id = %s AND dimensions = %s", (space.id, space.dimensions))
    return cast("int | None", number)


def share_spaces(db: PgSession) -> tuple[int, Space] | None:
    """Return the active space, which stays so until the end of the write; None before the first vector.

    Two fronts that then both make the first one wait for each other; the server lets one of them begin again.
    """
    db.execute("SELECT pg_advisory_xact_lock_shared(%s)", (locks.SPACES,))
    return active_space(db)


def lock_spaces(db: PgSession) -> None:
    """Wait for all who write vectors, and let nobody else do so until the end of the write."""
    db.execute("SELECT pg_advisory_xact_lock(%s)", (locks.SPACES,))


def make_space(db: PgSession, space: Space, *, active: bool = False) -> int:
    """Return the number of a space; creates it with its vector table if necessary.

    `active` activates it, in a store without an active space; pending chunks of memories that have been filled into it
    are removed.
    """
    known = number_of(db, space)
    if known is None:
        lock_spaces(db)
        known = number_of(db, space)  # another front may have made it meanwhile
    if known is None:
        return _make(db, space, active=active)
    if active:
        db.execute("UPDATE spaces SET active = true WHERE number = %s", (known,))
        db.execute(
            "DELETE FROM passages WHERE space IS NULL AND key IN (SELECT key FROM passages WHERE space = %s)", (known,)
        )
    return known


def _make(db: PgSession, space: Space, *, active: bool) -> int:
    made = db.value(
        "INSERT INTO spaces (id, dimensions, active) VALUES (%s, %s, %s) RETURNING number",
        (space.id, space.dimensions, active),
    )
    number = cast("int", made)
    db.execute("SELECT make_vectors(%s::integer, %s::integer)", (number, space.dimensions))
    return number
