"""The bearer tokens of HTTP clients."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from memory_mcp.domain.principal import Scope, Token


class Tokens(Protocol):
    """Keeps digests of tokens, never the tokens themselves.

    Every method but `is_valid` may raise SettingsError: the tokens cannot be read, or other users can read them; and
    StoreError, where they are in the store.
    """

    @property
    def waits(self) -> bool:
        """Whether a call may wait for a server, so that an event loop makes it in a thread."""
        ...

    def all(self) -> list[Token]:
        """Return every token, including expired ones, in order of creation."""
        ...

    def holder(self, secret: str) -> Token | None:
        """Return the token with this secret, unless it is unknown or expired; takes the same time for every secret."""
        ...

    def is_valid(self, token_id: str) -> bool:
        """Return whether a token is still valid; False if the tokens cannot be read."""
        ...

    def create(
        self, name: str, scopes: Sequence[Scope], namespace: str | None, expires_at: datetime | None
    ) -> tuple[str, Token]:
        """Create a token; return its secret, which is not stored, and the token.

        Raises:
            ConflictError: the name is taken.
            DiskFullError: nothing was changed.
        """
        ...

    def close(self) -> None:
        """Let go of what is open."""
        ...

    def revoke(self, named: str) -> Token:
        """Remove a token by name or id, and return it.

        Raises:
            NotFoundError: there is no such token.
            DiskFullError: nothing was changed.
        """
        ...
