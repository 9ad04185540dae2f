"""`python -I -m memory_mcp.imports.boxed ORDER`: reads the private copy of a peer's file or files in the sandbox.

The copy lies alone in its folder, the only one in which anything can be opened. What is read leaves through stdout.
"""

from __future__ import annotations

import encodings
import importlib
import os
import pkgutil
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Final, cast

from memory_mcp.documents.sandbox import child
from memory_mcp.documents.sandbox.control import Layers, ReadingLimits
from memory_mcp.imports import frames
from memory_mcp.imports.archives import is_archive, unpacked
from memory_mcp.imports.model import PeerItem, ReadPeer, Source, UnreadableError
from memory_mcp.imports.orders import Order

LIMITS: Final = ReadingLimits(cpu_s=600, memory_bytes=2 << 30, output_bytes=8 << 30)
UNPACKED: Final = "unpacked archive"
NO_LIBRARY: Final = "{library} is not installed, so it cannot be read; pip install 'memory-mcp[documents]'"
OPEN_BOX: Final = (
    "this system's sandbox cannot confine a reader to one folder ({layers} alone); use a Linux kernel with Landlock and"
    " seccomp, or macOS, or accept the risk with MCP_MEMORY_INGEST_UNSANDBOXED=1"
)


def main() -> None:
    """Read one copy."""
    order = Order.parsed(sys.argv[1])
    try:
        read = _reader(order.reader)
    except ModuleNotFoundError as error:
        with os.fdopen(1, "wb") as pipe:
            pipe.write(frames.refused(NO_LIBRARY.format(library=error.name)))
        return
    for codec in pkgutil.iter_modules(encodings.__path__):
        with suppress(ImportError):  # those of another system
            importlib.import_module(f"encodings.{codec.name}")
    time.tzset()  # reads the zone's file while it can
    datetime.now().astimezone()
    layers = child.box(LIMITS, os.getppid(), Path(order.path).parent)
    with os.fdopen(1, "wb") as pipe:
        if not (confines(layers) or order.unsandboxed):
            pipe.write(frames.refused(OPEN_BOX.format(layers=layers)))
            return
        for frame in _frames(read, order):
            pipe.write(frame)


def _reader(named: str) -> ReadPeer:
    module, _, function = named.partition(":")
    return cast("ReadPeer", getattr(importlib.import_module(module), function))


def confines(layers: Layers) -> bool:
    """Whether the box keeps everything but the folder out of reach."""
    return layers.seatbelt or (layers.seccomp and layers.landlock > 0)


def _items(read: ReadPeer, order: Order) -> Iterator[PeerItem]:
    """Yield what the copy holds; an archive is unpacked first."""
    path = Path(order.path)
    times: Mapping[Path, datetime] = {}
    if path.is_file() and is_archive(path):
        path = path.parent / UNPACKED
        wanted = [f"{pattern}{ending}" for pattern in order.patterns for ending in ("", *order.beside)]
        times, remarks = unpacked(Path(order.path), path, wanted)
        yield from remarks
    yield from read(Source(path, order.patterns, frozenset(order.extras), order.zone, times))


def _frames(read: ReadPeer, order: Order) -> Iterator[bytes]:
    """Yield the frames of a copy; the last says how it went."""
    try:
        for item in _items(read, order):
            yield frames.packed(item)
    except UnreadableError as error:
        yield frames.refused(str(error))
    except MemoryError:
        yield frames.refused("reading it takes too much memory; split it")
    except Exception as error:  # noqa: BLE001 - a reader's bug costs one import; its message may quote content
        yield frames.refused(f"its reader failed ({type(error).__name__}); report the bug")
    else:
        yield frames.end()


if __name__ == "__main__":
    main()
