"""The schema: recognizes our files and their version, and migrates them with numbered SQL files, each run once.

What SQL cannot do is a step: a function that runs after all files, in the same transaction, because it is written for
the tables of today.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Final, cast

import apsw

from memory_mcp.domain.errors import StoreError

APPLICATION_ID: Final = 0x6D656D31
"""SQLite's `application_id` of our files ("mem1")."""

CONVERTED: Final = 0x7FFF_FFFF
"""The version of a file that an encrypted or decrypted one has replaced, for those who still have it open. Others take
it for a newer version's, and write nothing."""

Steps = Mapping[int, Callable[[apsw.Connection], None]]
"""By the number of the SQL file that they belong to."""


class ConvertedError(StoreError):
    """The open file was encrypted or decrypted: its path leads to another one, which is to be opened."""


@cache
def migrations() -> tuple[str, ...]:
    """Return the SQL of all migrations in order; their number is the schema's version."""
    files = sorted(Path(__file__).with_name("migrations").glob("*.sql"))
    return tuple(file.read_text(encoding="utf-8") for file in files)


def check_identity(db: apsw.Connection, path: Path) -> int:
    """Return the schema version of the file, 0 for an empty one.

    Raises:
        StoreError: the file belongs to another program or to a newer version of this one.
        ConvertedError: it was replaced by an encrypted or decrypted one.
    """
    # One statement instead of pragmas, because another front may be creating the schema.
    version, application, is_empty = cast(
        "tuple[int, int, int]",
        db.execute(
            """SELECT user_version, application_id, NOT EXISTS (SELECT 1 FROM sqlite_schema)
               FROM pragma_user_version, pragma_application_id"""
        ).fetchone(),
    )
    if application != APPLICATION_ID and not is_empty:
        raise StoreError(f"{path} belongs to another program; set MCP_MEMORY_SQLITE_PATH to another file")
    if version == CONVERTED:
        raise ConvertedError(f"{path} was encrypted or decrypted meanwhile; try again")
    if version > len(migrations()):
        raise StoreError(
            f"{path} was written by a newer memory-mcp (schema {version}, this one knows {len(migrations())}); "
            "nothing was changed; upgrade memory-mcp and restart"
        )
    return version


def too_old(path: Path, version: int) -> str:
    """Return the error for a file of an earlier version that may not be written."""
    return (
        f"{path} is of an earlier version (schema {version}, current is {len(migrations())}) and cannot be migrated "
        "read-only; open it, or a copy of it, without MCP_MEMORY_READ_ONLY and with free space on the disk"
    )


def migrate(db: apsw.Connection, path: Path, steps: Steps) -> None:
    """Bring the schema to this version, inside the caller's transaction; what another front did is not done again."""
    done = check_identity(db, path)
    for script in migrations()[done:]:
        db.execute(script).fetchall()  # to the last statement, rows or not
    for number in range(done + 1, len(migrations()) + 1):
        if number in steps:
            steps[number](db)
    db.pragma("application_id", APPLICATION_ID)
    db.pragma("user_version", len(migrations()))
