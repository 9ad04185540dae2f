"""Who calls, what they may do, and which namespaces are within their reach."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from memory_mcp.domain.errors import ForbiddenError


class Scope(StrEnum):
    """What a caller may do; admin includes the others, and sees what memory_health tells of the machine."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Reach:
    """The namespace of calls that name none, and all others unless the caller is bound to it."""

    namespace: str
    bound: bool = False

    def of(self, named: str | None) -> str:
        """Return the namespace of a call.

        Raises:
            ForbiddenError: it is another than the caller is bound to.
        """
        if self.bound and named not in {None, self.namespace}:
            raise ForbiddenError(f"namespace: this token can only reach {self.namespace!r}; leave the argument out")
        return named or self.namespace


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller; two are the same when nothing of this differs."""

    id: str
    name: str
    scopes: frozenset[Scope]
    reach: Reach

    def may(self, scope: Scope) -> bool:
        """Say whether a scope is held."""
        return scope in self.scopes or Scope.ADMIN in self.scopes

    def require(self, scope: Scope) -> None:
        """Check a scope.

        Raises:
            ForbiddenError: it is not held.
        """
        if not self.may(scope):
            raise ForbiddenError(
                f"this needs the scope {scope.value!r}, which the token {self.name!r} lacks; use a token that has it"
            )


def local_user(namespace: str) -> Principal:
    """Return the one who started us on stdio: everything is theirs."""
    return Principal("local", "local user", frozenset(Scope), Reach(namespace))


@dataclass(frozen=True, slots=True)
class Token:
    """What is known of a bearer token but what it is."""

    id: str
    name: str
    scopes: tuple[Scope, ...]
    namespace: str | None
    """The only namespace within reach; None for all."""
    created_at: datetime
    expires_at: datetime | None

    def principal(self, default_namespace: str) -> Principal:
        """Return who holds it."""
        reach = Reach(default_namespace) if self.namespace is None else Reach(self.namespace, bound=True)
        return Principal(self.id, self.name, frozenset(self.scopes), reach)
