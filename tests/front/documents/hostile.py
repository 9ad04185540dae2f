# ruff: noqa: ARG005, S311 - each is told its document; garbage need not be secret
"""Readers that a hostile document has taken over, and honest ones that need what a box could break."""

from __future__ import annotations

import codecs
import ctypes
import errno
import hashlib
import itertools
import json
import os
import random
import signal
import struct
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Final

from memory_mcp.documents.readers.model import DocumentItem, DocumentSource, Header, Refusal, RefusedError, TextBlock

_PIPE: Final = 4


def _send(*frames: dict[str, object]) -> None:
    for frame in frames:
        content = json.dumps(frame).encode()
        os.write(_PIPE, struct.pack("!I", len(content)) + content)


_HEADER: Final[dict[str, object]] = {
    "kind": "header",
    "part": "",
    "title": None,
    "media_type": "text/plain",
    "pages": None,
    "created_at": None,
    "refused": None,
    "is_conversation": False,
}
_BLOCK: Final[dict[str, object]] = {
    "kind": "block",
    "text": "text",
    "heading": [],
    "page": None,
    "repeated": "",
    "created_at": None,
    "stands_alone": False,
}


def _loop() -> None:
    while True:
        pass


def _loop_on() -> None:
    signal.signal(signal.SIGXCPU, signal.SIG_IGN)
    _loop()


def _sleep() -> None:
    while True:
        time.sleep(60)


def _fill_memory() -> None:
    kept = [bytes(64 << 20) for _ in itertools.count()]  # address space is what counts: it is not written to
    raise AssertionError(len(kept))


def _use_memory() -> None:
    """Take 400 MB and keep them."""
    kept = b"x" * 400_000_000
    time.sleep(60)
    raise AssertionError(len(kept))


def _recurse() -> None:
    _recurse()


def _send_half() -> None:
    os.write(_PIPE, b"\0\0\1\0{")
    os._exit(0)


def _fail() -> None:
    raise ValueError("the content, which nobody must see")


DEEDS: Final[dict[str, Callable[[], object]]] = {
    "loop": _loop,
    "loop-on": _loop_on,
    "sleep": _sleep,
    "fill-memory": _fill_memory,
    "use-memory": _use_memory,
    "recurse": _recurse,
    "fail": _fail,
    "crash": lambda: ctypes.string_at(0),
    "abort": os.abort,
    "exit": lambda: os._exit(0),
    "leave": lambda: sys.exit(0),
    "close-pipe": lambda: os.close(_PIPE),
    "send-garbage": lambda: os.write(_PIPE, random.Random(1).randbytes(10_000)),
    "send-no-json": lambda: os.write(_PIPE, b"\0\0\0\5hello"),
    "send-endless-frame": lambda: os.write(_PIPE, b"\xff\xff\xff\xff"),
    "send-half-a-frame": _send_half,
    "send-list": lambda: os.write(_PIPE, b"\0\0\0\2[]"),
    "send-other-kind": lambda: _send({"kind": "command", "run": "rm"}),
    "send-block-before-header": lambda: _send(_BLOCK),
    "send-end-before-header": lambda: _send({"kind": "end"}),
    "send-page-as-text": lambda: _send(_HEADER, _BLOCK | {"page": "1"}),
    "send-blank-text": lambda: _send(_HEADER, _BLOCK | {"text": " "}),
    "send-time-without-zone": lambda: _send(_HEADER, _BLOCK | {"created_at": "2026-01-01T00:00:00"}),
    "send-unknown-field": lambda: _send(_HEADER | {"path": "/etc/passwd"}),
    "send-unknown-refusal": lambda: _send({"kind": "refused", "refusal": "because", "sentence": "x"}),
    "send-long-sentence": lambda: _send({"kind": "refused", "refusal": "damaged", "sentence": "x" * 10_000}),
    "send-more-after-the-end": lambda: _send(_HEADER, {"kind": "end"}, _BLOCK),
}


def read(source: DocumentSource) -> Iterator[DocumentItem]:
    """Do what the document's name says."""
    if source.name == "text":
        yield Header(title=source.name, media_type=source.media_type or "text/plain")
        yield TextBlock(source.file.read().decode())
    elif source.name == "flood":
        yield Header()
        yield from (TextBlock("x" * 10_000) for _ in itertools.count())
    elif source.name == "escape-terminal":
        raise RefusedError(Refusal.DAMAGED, "\x1b[2J\nred")
    elif source.name in HONEST:
        yield Header()
        yield TextBlock(HONEST[source.name](source))
    else:
        DEEDS[source.name]()
        yield Header()


def _descriptors(source: DocumentSource) -> str:
    """Return the numbers that are open; there is no `fstat` to ask for in every C library."""
    found = []
    for number in range(256):
        try:
            os.lseek(number, 0, os.SEEK_CUR)
        except OSError as error:
            if error.errno == errno.EBADF:
                continue
        found.append(number)
    return repr(found)


def _callback(source: DocumentSource) -> str:
    """Do what pypdfium2 does: hand a C library a function of Python."""
    kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
    numbers = (ctypes.c_int * 3)(3, 1, 2)
    first = ctypes.POINTER(ctypes.c_int)
    compare = kind(lambda a, b: ctypes.cast(a, first)[0] - ctypes.cast(b, first)[0])
    ctypes.CDLL(None).qsort(numbers, 3, ctypes.sizeof(ctypes.c_int), compare)
    return repr(list(numbers))


HONEST: Final[dict[str, Callable[[DocumentSource], str]]] = {
    "descriptors": _descriptors,
    "environment": lambda source: repr(dict(os.environ)),
    "callback": _callback,
    "codecs": lambda source: "".join(codecs.decode(b"\x93\x94", name) for name in ("cp1252", "shift_jis", "cp037")),
    "memory": lambda source: str(len(bytes(400 << 20))),
    "random": lambda source: str(len(os.urandom(16)) + len(hashlib.sha256(b"").digest())),
    "time": lambda source: str(time.localtime().tm_year > 2000 and time.monotonic() > 0),
    "late-imports": lambda source: repr((Counter("aab").most_common(1), datetime.strptime("2026 +0100", "%Y %z").year)),
    "seek": lambda source: str((source.file.seek(0, os.SEEK_END), source.file.seek(1), source.file.read(3))),
    "long": lambda source: "word " * 300_000,
    "surrogate": lambda source: "a\udcffb",
}
