"""What can go wrong, in the words of the domain; `server/mcp/errors` maps each to MCP, `cli` to an exit code."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Final

SHOWN: Final = 80
"""Characters of an argument that an error repeats."""


def cut(given: str) -> str:
    """Return what an error repeats of what was given."""
    return given if len(given) <= SHOWN else given[:SHOWN] + "…"


class MemoryMcpError(Exception):
    """An expected failure; its message is one sentence that names the cause and the fix."""

    fix: str = ""
    """The fix, where the message leaves it out."""

    def with_fix(self) -> str:
        """Return the message, and the fix where that is left out."""
        told = str(self)
        return f"{told}; {self.fix}" if self.fix and self.fix not in told else told


class SettingsError(MemoryMcpError):
    """A setting that does not fit."""


class InvalidArgumentError(MemoryMcpError):
    """A call's argument breaks a bound; the message names the argument and the bound."""

    def __init__(self, argument: str, problem: str) -> None:
        super().__init__(f"{cut(argument)}: {problem}")


class NotFoundError(MemoryMcpError):
    """No memory has this id."""


class ForbiddenError(MemoryMcpError):
    """The caller lacks a scope, or named a namespace out of its reach."""


class RateLimitedError(MemoryMcpError):
    """The caller asked too often."""

    def __init__(self, sentence: str, retry_after_s: float) -> None:
        super().__init__(f"{sentence}; try again in {retry_after_s:g} s")
        self.retry_after_s = retry_after_s


class ConflictError(MemoryMcpError):
    """The write contradicts what is stored: another content under the id, or another revision than expected."""


class StoreError(MemoryMcpError):
    """The store cannot be opened, read or written; the message names the file and the fix."""


NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""What the system says where there is no room: on the disk, in the user's quota, or for a file of this size."""


class DiskFullError(StoreError):
    """There is no room for a write, of which nothing was kept."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path}: the disk is full; free some space, nothing was lost")


class TransferError(MemoryMcpError):
    """A file of memories cannot be written; the message names the file."""


class EmbedderError(MemoryMcpError):
    """No vectors could be had now; the memory itself is not in danger."""

    def __init__(self, cause: str, *, fix: str = "", faulty: bool = True) -> None:
        super().__init__(cause)
        self.fix = fix
        self.faulty = faulty
        """Whether the call speaks against the embedder's health (the breaker counts it)."""


class SpaceMismatchError(EmbedderError):
    """The embedder serves another space than the store's vectors were made in."""
