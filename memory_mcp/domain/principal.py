"""Callers: their scopes, and the namespaces they may use."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Final, TypeVar

from memory_mcp.domain.errors import ForbiddenError, NotFoundError
from memory_mcp.domain.names import nfc

if TYPE_CHECKING:
    from memory_mcp.domain.models import Finding, Memory

T = TypeVar("T")
MOST_LISTED: Final = 20
"""Namespaces named in one error."""
LOCAL: Final = "local"
"""The id of the local user, who is somebody else on each machine; those of tokens are hexadecimal."""
AUTO: Final = "auto"
"""The setting of the namespace that stands for the project's; `context.project` finds it."""


class Scope(StrEnum):
    """What a caller may do; admin includes the others, and also sees the machine's details in memory_health."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Reach:
    """The default namespace of a caller, and which others it may use."""

    namespace: str
    only: tuple[str, ...] | None = None
    """All namespaces that it may use, the default one among them; None for every namespace."""
    writable: tuple[str, ...] | None = None
    """Those of them that it may change; None for all of them."""
    joined: str | None = None
    """A namespace that searches read as well; nothing else touches it."""
    is_guess: bool = False
    """Whether the namespace may be another project's, because the client has not said which folder is open."""

    @classmethod
    def bound_to(cls, namespace: str, *others: str) -> Reach:
        """Return the reach of a caller who may use and change these namespaces alone; the first is the default."""
        return cls(namespace, only=(namespace, *others))

    @property
    def bound(self) -> bool:
        """Whether there are namespaces that it may not use."""
        return self.only is not None

    @property
    def is_everything(self) -> bool:
        """Whether it may use and change all namespaces."""
        return self.only is None and self.writable is None

    @property
    def is_limited(self) -> bool:
        """Whether there are memories that its calls do not change."""
        return not self.is_everything or self.joined is not None

    def includes(self, namespace: str) -> bool:
        """Return whether it may use a namespace."""
        return self.only is None or namespace in self.only

    def may_change(self, namespace: str) -> bool:
        """Return whether it may change what lies in a namespace."""
        return self.includes(namespace) and (self.writable is None or namespace in self.writable)

    async def find(self, look: Callable[[str, bool], Awaitable[T]]) -> T:
        """Return what a look by an id finds, first in the default namespace.

        Args:
            look: gets a namespace, and whether to look in all others too; raises NotFoundError.

        Raises:
            NotFoundError: it is nowhere within reach.
        """
        if self.only is None:
            return await look(self.namespace, True)  # noqa: FBT003 - a callback
        *first, last = sorted(self.only, key=self.namespace.__ne__)
        for namespace in first:
            with contextlib.suppress(NotFoundError):
                return await look(namespace, False)  # noqa: FBT003 - likewise
        return await look(last, False)  # noqa: FBT003 - likewise

    def to_write(self, named: str | None) -> str:
        """Return the namespace of a call that stores or deletes.

        Raises:
            ForbiddenError: it is out of reach, the caller may only read it, or nobody knows which one is meant.
        """
        if self.is_guess and named is None:
            raise ForbiddenError(
                "namespace: the client has not said yet which folder is open, so the project is unknown; "
                "try again, or name a namespace"
            )
        namespace = self.of(named)
        if not self.may_change(namespace):
            raise ForbiddenError(f"namespace: this token can only read {namespace!r}; {self._which_to_change()}")
        return namespace

    def to_change(self) -> Reach:
        """Return the part of it that may be changed.

        Raises:
            ForbiddenError: the caller may only read.
        """
        if self.writable is None:
            return self
        if not self.writable:
            raise ForbiddenError("this token can only read; use another one")
        return replace(self, only=self.writable)

    def own(self, memory: Memory) -> Memory:
        """Return a memory that is to be changed; a project's calls change what is the project's.

        Raises:
            ForbiddenError: it lies elsewhere, or where the caller may only read.
        """
        if not self.may_change(memory.namespace):
            raise ForbiddenError(
                f"id: this memory lies in {memory.namespace!r}, which this token can only read; store here what differs"
            )
        if self.joined is None or memory.namespace == self.namespace:
            return memory
        raise ForbiddenError(
            f"id: this memory lies in {memory.namespace!r}, and calls from {self.namespace!r} only read it; change it "
            f"where MCP_MEMORY_NAMESPACE is {memory.namespace!r}, or store here what differs"
        )

    def also(self, named: str | None) -> str | None:
        """Return the namespace that a search reads besides that of `of`."""
        return self.joined if named is None else None

    def of(self, named: str | None) -> str:
        """Return the namespace of a call.

        Raises:
            ForbiddenError: it is out of reach.
        """
        if named is None or self.includes(named):
            return named or self.namespace
        fix = "leave the argument out" if self.only == (self.namespace,) else "name one of them"
        raise ForbiddenError(f"namespace: this token can only reach {_listed(self.only or ())}; {fix}")

    def _which_to_change(self) -> str:
        return f"name one of those that it may change: {_listed(self.writable)}" if self.writable else "use another one"


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller; two are equal if all fields are."""

    id: str
    name: str
    scopes: frozenset[Scope]
    reach: Reach
    issuer: str = ""
    """The identity provider that knows the caller; empty for the local user and for our own tokens."""
    is_source: bool = False
    """Whether another memory-mcp asks, whose source we are: we ask no sources for it."""
    project: Finding | None = field(default=None, compare=False)
    """Where its namespace comes from, if that is the project's."""

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

    @property
    def is_local(self) -> bool:
        """Whether it is the local user."""
        return self.id == LOCAL

    @property
    def is_operator(self) -> bool:
        """Whether it may do what concerns all namespaces."""
        return self.may(Scope.ADMIN) and self.reach.is_everything

    def require_operator(self) -> None:
        """Require the scope admin for all namespaces.

        Raises:
            ForbiddenError: the caller lacks it, or may not use and change all namespaces.
        """
        self.require(Scope.ADMIN)
        if not self.reach.is_everything:
            raise ForbiddenError(
                f"this covers all namespaces, but the token {self.name!r} is bound to some; "
                "use a token for all namespaces"
            )


def _listed(namespaces: Sequence[str]) -> str:
    more = len(namespaces) - MOST_LISTED
    return ", ".join(map(repr, namespaces[:MOST_LISTED])) + (f" and {more} more" if more > 0 else "")


def local_user(reach: Reach | str, project: Finding | None = None, *, is_source: bool = False) -> Principal:
    """Return the local user, who may do everything; a namespace alone is the default one."""
    reach = Reach(reach) if isinstance(reach, str) else reach
    return Principal(LOCAL, "local user", frozenset(Scope), reach, is_source=is_source, project=project)


MAX_TOKEN_NAME: Final = 64


def checked_name(name: str, most: int) -> str:
    """Return the composed form of what somebody calls a token, or the only namespace that it reaches.

    Raises:
        ValueError: says what is accepted.
    """
    if not (name.strip() and len(name) <= most and name.isprintable()):
        raise ValueError(f"give 1 to {most} printable characters")
    return nfc(name)


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

    def principal(self, default: Reach) -> Principal:
        """Return the token's holder, who has the server's own reach unless the token is bound."""
        reach = default if self.namespace is None else Reach.bound_to(self.namespace)
        return Principal(self.id, self.name, frozenset(self.scopes), reach)
