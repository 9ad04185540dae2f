"""The bearer tokens of HTTP clients in the memories' database, so that all fronts agree on them at once."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final, cast

from memory_mcp.domain.errors import ConflictError, NotFoundError, StoreError
from memory_mcp.domain.principal import Scope, Token
from memory_mcp.storage.postgres.db.connection import PostgresDatabase
from memory_mcp.storage.postgres.db.session import PgSession
from memory_mcp.storage.rows import from_micros, to_json, to_micros
from memory_mcp.storage.token_secrets import ID_BYTES, digest_of, new_secret

PATIENCE_S: Final = 2.0
"""How long a caller waits for a database that is away."""
_COLUMNS: Final = "id, name, scopes, namespace, created_at, expires_at"
_ALIVE: Final = "(expires_at IS NULL OR expires_at > %s)"


class TokenTable:
    """See `domain.ports.Tokens`."""

    waits: Final = True

    def __init__(self, database: PostgresDatabase, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """Use a database that is reached at the first call."""
        self._database = database
        self._now = now

    def all(self) -> list[Token]:
        return self._found("true ORDER BY key")

    def holder(self, secret: str) -> Token | None:
        """Return the token; it is looked up by its digest, so that the time tells nothing of the secret."""
        found = self._found(f"digest = %s AND {_ALIVE}", digest_of(secret), to_micros(self._now()))
        return found[0] if found else None

    def is_valid(self, token_id: str) -> bool:
        try:
            return bool(self._found(f"id = %s AND {_ALIVE}", token_id, to_micros(self._now())))
        except StoreError:
            return False

    def create(
        self, name: str, scopes: Sequence[Scope], namespace: str | None, expires_at: datetime | None
    ) -> tuple[str, Token]:
        secret = new_secret()
        token = Token(secrets.token_hex(ID_BYTES), name, tuple(scopes), namespace, self._now(), expires_at)
        ends = None if expires_at is None else to_micros(expires_at)
        values = (token.id, name, to_json(scopes), namespace, to_micros(token.created_at), ends, digest_of(secret))

        def work(db: PgSession) -> int:
            db.reach_all()
            return db.changed(
                f"INSERT INTO tokens ({_COLUMNS}, digest) VALUES (%s, %s, %s, %s, %s, %s, %s) "  # noqa: S608 - constants
                "ON CONFLICT (name) DO NOTHING",
                values,
            )

        if not self._database.write_here(work):
            raise ConflictError(f"a token named {name!r} already exists; revoke it first, or choose another name")
        return secret, token

    def revoke(self, named: str) -> Token:
        def work(db: PgSession) -> list[Token]:
            db.reach_all()
            query = f"""DELETE FROM tokens WHERE id = (
                SELECT id FROM tokens WHERE %s IN (name, id) ORDER BY key LIMIT 1) RETURNING {_COLUMNS}"""  # noqa: S608 - constants
            return [_to_token(row) for row in db.rows(query, (named,))]

        gone = self._database.write_here(work)
        if not gone:
            raise NotFoundError(f"there is no token {named!r}; `memory-mcp token list` lists them")
        return gone[0]

    def _found(self, condition: str, *parameters: object) -> list[Token]:
        def work(db: PgSession) -> list[Token]:
            db.reach_all()
            query = f"SELECT {_COLUMNS} FROM tokens WHERE {condition}"  # noqa: S608 - constants
            return [_to_token(row) for row in db.rows(query, parameters)]

        return self._database.read_here(work, patience_s=PATIENCE_S)

    def close(self) -> None:
        self._database.close_here()


def _to_token(row: Sequence[object]) -> Token:
    id_, name, scopes, namespace, created, expires = cast("tuple[str, str, str, str | None, int, int | None]", row)
    return Token(
        id_,
        name,
        tuple(Scope(scope) for scope in cast("list[str]", json.loads(scopes))),
        namespace,
        from_micros(created),
        None if expires is None else from_micros(expires),
    )
