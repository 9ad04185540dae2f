"""A fake of the tokens' port: a dictionary from secrets to tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import count

from memory_mcp.domain.errors import ConflictError, NotFoundError
from memory_mcp.domain.principal import Scope, Token


class FakeTokens:
    """See `domain.ports.Tokens`."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._tokens: dict[str, Token] = {}
        self._numbers = count(1)

    waits = False

    def close(self) -> None:
        """Nothing to let go of."""

    def all(self) -> list[Token]:
        """Return every token."""
        return list(self._tokens.values())

    def holder(self, secret: str) -> Token | None:
        """Return the token that a client has shown."""
        token = self._tokens.get(secret)
        return token if token and self._is_alive(token) else None

    def is_valid(self, token_id: str) -> bool:
        """Say whether a token still holds."""
        return any(token.id == token_id and self._is_alive(token) for token in self.all())

    def create(
        self, name: str, scopes: Sequence[Scope], namespace: str | None, expires_at: datetime | None
    ) -> tuple[str, Token]:
        """Make a token."""
        if any(token.name == name for token in self.all()):
            raise ConflictError(f"a token named {name!r} already exists")
        number = next(self._numbers)
        token = Token(f"id-{number}", name, tuple(scopes), namespace, self._now(), expires_at)
        self._tokens[f"secret-{number}"] = token
        return f"secret-{number}", token

    def revoke(self, named: str) -> Token:
        """Remove a token."""
        for secret, token in self._tokens.items():
            if named in {token.name, token.id}:
                return self._tokens.pop(secret)
        raise NotFoundError(f"there is no token {named!r}")

    def _is_alive(self, token: Token) -> bool:
        return token.expires_at is None or self._now() < token.expires_at

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)
