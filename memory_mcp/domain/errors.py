"""The domain's errors.

Every class has a code. `server/mcp/errors` maps the codes to MCP, `server/http/errors` to HTTP, `cli` to exit codes.
"""

from __future__ import annotations

import errno
from enum import StrEnum
from pathlib import Path
from typing import ClassVar, Final

SHOWN: Final = 80
"""Maximum characters of an argument that an error quotes."""


def cut(given: str) -> str:
    """Shorten a value to what an error quotes."""
    return given if len(given) <= SHOWN else given[:SHOWN] + "…"


class Code(StrEnum):
    """The kind of failure, for programs."""

    INVALID_ARGUMENT = "invalid_argument"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    FORBIDDEN = "forbidden"
    RATE_LIMITED = "rate_limited"
    STORE = "store"
    LOCKED = "locked"
    """The store is encrypted, and its key is not at hand."""
    TRANSFER = "transfer"
    EMBEDDER = "embedder"
    SETTINGS = "settings"
    PROVISION = "provision"
    SANDBOX = "sandbox"
    SOURCE = "source"
    LLM = "llm"
    INTERNAL = "internal"
    """A bug, and every class without a code of its own."""


class MemoryMcpError(Exception):
    """An expected failure; its message is one sentence with the cause and what fixes it."""

    code: ClassVar[Code] = Code.INTERNAL
    request_id: str = ""
    """The id of the failed request in the logs of front and daemon; empty outside a server."""
    fix: str = ""
    """What fixes it, if the message does not say so."""

    def with_fix(self) -> str:
        """Return the message with what fixes it."""
        message = str(self)
        return f"{message}; {self.fix}" if self.fix and self.fix not in message else message

    def told(self) -> tuple[str, str]:
        """Return the cause and what fixes it, apart."""
        cause, _, fix = self.with_fix().rpartition("; ")
        return (cause, fix) if cause else (fix, "run memory-mcp doctor")


class SettingsError(MemoryMcpError):
    """A setting is invalid."""

    code = Code.SETTINGS


class InvalidArgumentError(MemoryMcpError):
    """A call's argument breaks a bound; the message names the argument and the bound."""

    code = Code.INVALID_ARGUMENT

    def __init__(self, argument: str, problem: str) -> None:
        super().__init__(f"{cut(argument)}: {problem}")


class NotFoundError(MemoryMcpError):
    """No memory has this id."""

    code = Code.NOT_FOUND


class UnknownToolError(NotFoundError):
    """No tool has this name."""


class ForbiddenError(MemoryMcpError):
    """The caller lacks a scope, or may not use the namespace."""

    code = Code.FORBIDDEN


class RateLimitedError(MemoryMcpError):
    """The caller exceeded a rate limit."""

    code = Code.RATE_LIMITED

    def __init__(self, sentence: str, retry_after_s: float) -> None:
        super().__init__(f"{sentence}; try again in {retry_after_s:g} s")
        self.retry_after_s = retry_after_s


class ConflictError(MemoryMcpError):
    """The write conflicts with what is stored: other content under the id, or another revision than expected."""

    code = Code.CONFLICT


class StoreError(MemoryMcpError):
    """The store cannot be opened, read or written; the message names the file and the fix."""

    code = Code.STORE


class LockedError(StoreError):
    """The store is encrypted, and its key is not at hand; the message says how to give it."""

    code = Code.LOCKED


NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""The errno values for no room: on the disk, in the user's quota, or for a file of this size."""


class DiskFullError(StoreError):
    """There is no room for a write; nothing of it was kept."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path}: the disk is full; nothing was lost: free some space")


class TransferError(MemoryMcpError):
    """A file of memories cannot be written; the message names the file."""

    code = Code.TRANSFER


class EmbedderError(MemoryMcpError):
    """The embedder returned no vectors; the memory itself is safe."""

    code = Code.EMBEDDER

    def __init__(self, cause: str, *, fix: str = "", faulty: bool = True) -> None:
        super().__init__(cause)
        self.fix = fix
        self.faulty = faulty
        """Whether the failure is the embedder's fault, so that the breaker counts it."""


class SpaceMismatchError(EmbedderError):
    """The embedder serves another space than the store's vectors were made in."""


class InternalError(MemoryMcpError):
    """A bug; the details are in the log under the request id."""

    def __init__(self, request_id: str) -> None:
        super().__init__(f"internal error; for details, search the log on stderr for request id {request_id}")
        self.request_id = request_id
