"""Callers: their scopes, and the namespaces they may use."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from memory_mcp.domain.errors import ForbiddenError


class Scope(StrEnum):
    """What a caller may do; admin includes the others, and also sees the machine's details in memory_health."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Reach:
    """The default namespace of a caller, and whether it may use others."""

    namespace: str
    bound: bool = False

    def of(self, named: str | None) -> str:
        """Return the namespace of a call.

        Raises:
            ForbiddenError: the caller is bound to another namespace.
        """
        if self.bound and named not in {None, self.namespace}:
            raise ForbiddenError(f"namespace: this token can only reach {self.namespace!r}; leave the argument out")
        return named or self.namespace


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller; two are equal if all fields are."""

    id: str
    name: str
    scopes: frozenset[Scope]
    reach: Reach
    is_source: bool = False
    """Whether another memory-mcp asks, whose source we are: we ask no sources for it."""

    def may(self, scope: Scope) -> bool:
        """Return whether the caller has a scope."""
        return scope in self.scopes or Scope.ADMIN in self.scopes

    def require(self, scope: Scope) -> None:
        """Require a scope.

        Raises:
            ForbiddenError: the caller does not have it.
        """
        if not self.may(scope):
            raise ForbiddenError(
                f"this needs the scope {scope.value!r}, which the token {self.name!r} lacks; use a token that has it"
            )


def local_user(namespace: str, *, is_source: bool = False) -> Principal:
    """Return the local user, who may do everything."""
    return Principal("local", "local user", frozenset(Scope), Reach(namespace), is_source)


@dataclass(frozen=True, slots=True)
class Token:
    """A bearer token without its secret."""

    id: str
    name: str
    scopes: tuple[Scope, ...]
    namespace: str | None
    """The only namespace it may use; None for all."""
    created_at: datetime
    expires_at: datetime | None

    def principal(self, default_namespace: str) -> Principal:
        """Return the token's holder."""
        reach = Reach(default_namespace) if self.namespace is None else Reach(self.namespace, bound=True)
        return Principal(self.id, self.name, frozenset(self.scopes), reach)
