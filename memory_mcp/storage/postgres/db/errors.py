"""Translates the driver's errors into sentences with what fixes them; none quotes a password."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Final

import psycopg
import psycopg_pool
from psycopg import errors

from memory_mcp.domain.errors import InvalidArgumentError, StoreError

CHECK = "start PostgreSQL, or check MCP_MEMORY_POSTGRES_URL"


class LostWriteError(StoreError):
    """The connection was lost during a commit, and the server did not come back to say how it ended."""

    def __init__(self, place: str) -> None:
        super().__init__(
            f"the connection to {place} was lost during a write, and the server does not answer whether it was kept; "
            f"{CHECK}, then look for what you wrote before you write it again"
        )


@contextlib.contextmanager
def translated(place: str) -> Iterator[None]:
    """Translate errors; `place` names the database without its password."""
    try:
        yield
    except (psycopg.Error, psycopg_pool.PoolTimeout, psycopg_pool.PoolClosed, OSError) as error:
        raise _told(error, place) from error
    except UnicodeEncodeError as error:
        raise InvalidArgumentError("text", "contains half of a surrogate pair, which is no character") from error


def _told(error: Exception, place: str) -> Exception:
    first = _first_line(error)
    if isinstance(error, psycopg.DataError) and ("NUL (0x00)" in first or "unsupported Unicode escape" in first):
        return InvalidArgumentError("text", NUL)
    for kind, sentence in _SENTENCES.items():
        if isinstance(error, kind):
            return StoreError(f"{place}: {sentence.format(first=first)}")
    if isinstance(error, psycopg.OperationalError | psycopg_pool.PoolTimeout | psycopg_pool.PoolClosed | OSError):
        return StoreError(f"{place} cannot be reached ({first}); {_fix(first)}")
    return StoreError(f"{place}: {first}; nothing was changed: run memory-mcp doctor")


_SENTENCES: Final[dict[type[psycopg.Error], str]] = {
    errors.DiskFull: "the server's disk is full; nothing was lost: free some space there",
    errors.InsufficientPrivilege: "{first}; grant the rights that docs/postgres.md lists",
    errors.QueryCanceled: "it took too long and was stopped; nothing was changed: try again when it is less busy",
    errors.ReadOnlySqlTransaction: "it is read-only (a standby?); name the primary in MCP_MEMORY_POSTGRES_URL",
}


def _fix(first: str) -> str:
    if "password authentication" in first or "no password supplied" in first:
        return "check the user and password in MCP_MEMORY_POSTGRES_URL"
    if "too many" in first or "remaining connection slots" in first or "no more connections" in first:
        return "close clients, raise max_connections, or put pgbouncer in front (docs/postgres.md)"
    if "does not exist" in first:
        return "create it, or name another in MCP_MEMORY_POSTGRES_URL"
    return CHECK


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].removeprefix("connection failed: ") if lines else type(error).__name__


NUL = "contains a NUL character (U+0000), which PostgreSQL cannot store; remove it"


def is_passing(error: Exception) -> bool:
    """Whether the same transaction is likely to succeed if it is run once more."""
    return isinstance(error, errors.SerializationFailure | errors.DeadlockDetected)
