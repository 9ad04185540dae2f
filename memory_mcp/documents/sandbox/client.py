"""The front's side of the sandbox."""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import TracebackType

from memory_mcp.documents.opening import OpenedFile
from memory_mcp.documents.readers.model import Item
from memory_mcp.domain.errors import Code, MemoryMcpError


class SandboxError(MemoryMcpError):
    """No document can be read on this machine; the message says why and what fixes it. It ends a job."""

    code = Code.SETTINGS


class Sandbox:
    """Reads documents, each in a boxed child of a reader process that is started when it is first needed.

    The process is ended when the sandbox has been idle for a while, and on leaving the `async with`.
    """

    def __init__(self, *, unsandboxed: bool = False) -> None:
        """Start nothing. `unsandboxed` reads even where the system offers no box."""

    async def __aenter__(self) -> Sandbox:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def read(self, file: OpenedFile, name: str, media_type: str | None = None) -> AsyncIterator[Item]:
        """Yield a header, its blocks, and so on; leaving the iteration (`contextlib.aclosing`) kills the child.

        The file stays open and belongs to the caller. Time in which the caller does not ask for items does not count.

        Args:
            file: from `opening`; a file that was changed since it was opened is refused as CHANGED at the end.
            name: the last part of its path or URI.
            media_type: what its sender says.

        Raises:
            RefusedError: before the first item or after some; the next document can be read.
            SandboxError: nothing can be read: no box, or no readers.
        """
        raise NotImplementedError
