"""What a document's child does: it closes the box around itself, runs the reader, and writes the items as frames."""

from __future__ import annotations

import io
import os
import resource
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from memory_mcp.documents.readers.model import DocumentReader, DocumentSource, Refusal, RefusedError
from memory_mcp.documents.sandbox import frames
from memory_mcp.documents.sandbox.control import Layers, ReadingLimits, ReadRequest

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_DOCUMENT, _PIPE = 3, 4
"""The descriptors that a child keeps, beside /dev/null as 0 to 2."""
_MOST_OPEN: Final = 65_536
"""Above every descriptor that the reader process has."""
_WRITTEN_AT_ONCE: Final = 64 * 1024
_NO_MEMORY: Final = frames.refused(
    RefusedError(Refusal.OUT_OF_MEMORY, "reading it takes too much memory; split it, or save it in a simpler format")
)


def box(limits: ReadingLimits, parent: int, folder: Path | None = None) -> Layers:
    """Close the box around this process, for good. Where a system has a part of it only, that part is closed.

    With a folder it is the second profile: files can be read and written there, and nowhere else.

    Raises:
        BoxError: the kernel refused what every kernel has.
        OSError, ValueError: likewise, a resource limit.
    """
    for kind, soft, hard in (
        (resource.RLIMIT_CPU, limits.cpu_s, limits.cpu_s + 1),  # SIGXCPU first, which it may catch; then SIGKILL
        (resource.RLIMIT_FSIZE, limits.output_bytes if folder else 0, limits.output_bytes if folder else 0),
        (resource.RLIMIT_CORE, 0, 0),
        (resource.RLIMIT_NOFILE, 64 if folder else 16, 64 if folder else 16),
    ):
        resource.setrlimit(kind, (soft, hard))
    if sys.platform == "darwin":
        from memory_mcp.documents.sandbox import macos  # noqa: PLC0415 - of this system

        return Layers(seatbelt=macos.is_closed())
    from memory_mcp.documents.sandbox import linux  # noqa: PLC0415 - of this system

    resource.setrlimit(resource.RLIMIT_AS, (limits.memory_bytes, limits.memory_bytes))
    landlock, seccomp = linux.close_box(parent, folder)
    return Layers(landlock, seccomp)


def run(request: ReadRequest, document: int, pipe: int, reader: DocumentReader) -> None:
    """Read a document in this process, which must be a fork without threads, and does nothing else afterwards."""
    parent = os.getppid()
    _keep(document, pipe)
    for number in (signal.SIGCHLD, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)
    file = io.BufferedReader(_Opened(request.size), _WRITTEN_AT_ONCE)
    file.seek(0)
    source = DocumentSource(file, request.name, request.media_type)
    layers = box(request.limits, parent)
    if layers.are_enough or request.unsandboxed:
        _write(_PIPE, _frames(reader, source))


class _Opened(io.FileIO):
    """The document as it was when it was opened: one that grows is not followed, be it for ever."""

    def __init__(self, size: int) -> None:
        super().__init__(_DOCUMENT, "rb")
        self._size = size

    def readinto(self, buffer: WriteableBuffer) -> int:
        room = memoryview(buffer).cast("B")
        return super().readinto(room[: self._left()]) or 0

    def readall(self) -> bytes:
        return super().read(self._left()) or b""

    def read(self, size: int | None = -1) -> bytes:
        wanted = self._left() if size is None or size < 0 else min(size, self._left())
        return super().read(wanted) or b""

    def _left(self) -> int:
        return max(0, self._size - self.tell())


def _keep(document: int, pipe: int) -> None:
    """Keep two descriptors of ours, and close all others."""
    document, pipe = os.dup(document), os.dup(pipe)  # neither is 3 or 4 now: those are taken
    os.dup2(document, _DOCUMENT)
    os.dup2(pipe, _PIPE)
    os.closerange(_PIPE + 1, min(os.sysconf("SC_OPEN_MAX"), _MOST_OPEN))


def _frames(reader: DocumentReader, source: DocumentSource) -> Iterator[bytes]:
    """Yield the frames of a document; the last says how it went."""
    try:
        yield from _items(reader, source)
    except MemoryError:
        pass  # what took the memory is let go of first
    except RefusedError as error:
        yield frames.refused(error)
        return
    else:
        yield frames.end()
        return
    yield _NO_MEMORY


def _items(reader: DocumentReader, source: DocumentSource) -> Iterator[bytes]:
    try:
        for item in reader(source):
            yield from frames.encoded(item)
    except RecursionError as error:
        raise RefusedError(Refusal.TOO_DEEP, "it is nested too deeply; save it in a simpler format") from error
    except (RefusedError, MemoryError):
        raise
    except Exception as error:  # a reader's bug costs one document; its message may quote content
        what = f"no {error.name}" if isinstance(error, ImportError) else type(error).__name__
        sentence = f"its reader failed ({what}); if another program opens the file, report the bug"
        raise RefusedError(Refusal.DAMAGED, sentence) from error


def _write(pipe: int, frames_of_it: Iterator[bytes]) -> None:
    """Write frames, many at once. A front that has gone is the end: SIGPIPE."""
    waiting = bytearray()
    for frame in frames_of_it:
        waiting += frame
        if len(waiting) >= _WRITTEN_AT_ONCE:
            _write_all(pipe, waiting)
            waiting.clear()
    _write_all(pipe, waiting)


def _write_all(pipe: int, content: bytearray) -> None:
    with memoryview(content) as rest:
        written = 0
        while written < len(rest):
            written += os.write(pipe, rest[written:])
