"""Connects to a server, and never waits without end: for one that hangs, or a host that vanished."""

from __future__ import annotations

import logging
from typing import Final, TypeVar

import psycopg
from psycopg import errors
from psycopg.abc import PQGen
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from memory_mcp.storage.postgres.db.session import CONNECT_S, PgRow

T = TypeVar("T")

STATEMENT_MS: Final = 60_000
"""The server ends a statement that takes longer."""
_TOLD: Final = {
    "connect_timeout": str(CONNECT_S),
    "tcp_user_timeout": "15000",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
}
"""What libpq is told where the URL says nothing: a host that is gone is noticed after half a minute at most."""

logging.getLogger("psycopg").setLevel(logging.CRITICAL)  # our callers say what is wrong, in one sentence


class BoundedConnection(psycopg.Connection[PgRow]):
    """A connection that is given up when the server, which stops what takes too long, says nothing for still longer."""

    answer_s: float | None = STATEMENT_MS / 1_000 + 10
    """None waits without end."""

    def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        try:
            return super().wait(gen, interval, self.answer_s if timeout is None else timeout)
        except errors._WaitTimeout as error:  # noqa: SLF001 - the documentation of `wait` names it
            self.close()
            raise psycopg.OperationalError("the server does not answer") from error


def parameters(url: str) -> str:
    """Return how to connect: what the URL says, and what it leaves to us."""
    return make_conninfo(url, **{name: value for name, value in _TOLD.items() if name not in conninfo_to_dict(url)})


def connect(url: str, seconds: int = CONNECT_S) -> BoundedConnection:
    """Connect within some seconds."""
    place = make_conninfo(parameters(url), connect_timeout=str(seconds))
    return BoundedConnection.connect(place, autocommit=True, prepare_threshold=None)
