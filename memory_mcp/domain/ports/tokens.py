"""The bearer tokens of HTTP clients."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from memory_mcp.domain.principal import Scope, Token


class Tokens(Protocol):
    """Knows who may call; never the tokens themselves, only what a token that is shown can be checked by.

    Every method but `is_valid` may raise SettingsError: what is kept cannot be read, or others can read it.
    """

    def all(self) -> list[Token]:
        """Return every token, expired ones too, in the order in which they were made."""
        ...

    def holder(self, secret: str) -> Token | None:
        """Return the token that a client has shown, unless it is unknown or expired; takes the same time for all."""
        ...

    def is_valid(self, token_id: str) -> bool:
        """Say whether a token that was shown before still holds; none does when what is kept cannot be read."""
        ...

    def create(
        self, name: str, scopes: Sequence[Scope], namespace: str | None, expires_at: datetime | None
    ) -> tuple[str, Token]:
        """Make a token; return its secret, for the only time, and the token.

        Raises:
            ConflictError: there is one of this name.
            DiskFullError: nothing was changed.
        """
        ...

    def revoke(self, named: str) -> Token:
        """Remove a token by its name or id, and return it.

        Raises:
            NotFoundError: there is none.
            DiskFullError: nothing was changed.
        """
        ...
