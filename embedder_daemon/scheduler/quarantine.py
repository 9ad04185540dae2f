"""Quarantine of texts that killed the process: noted during a forward pass, and found by the next process.

There are two files next to the socket, both owned by the holder of its lock. `.batch` names the texts being computed,
and is empty between forward passes; it is not synced, because the kernel keeps what a killed process wrote. `.strikes`
counts the deaths under one version of an engine. Both contain digests, never texts. The daemon serves without them, and
deleting `.strikes` clears all texts.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from embedder_daemon import logs
from embedder_daemon.engines import cache

KEEP_S: Final = 7 * 86_400.0
"""Seconds until a text gets another chance: the library may be newer by then."""
REFUSED_AT: Final = 2
"""Deaths until a text is refused. After the first one it is computed alone, so that the second one is its own."""
_DIGEST_BYTES: Final = 32
_COUNT_BYTES: Final = 4
_ENGINE_BYTES: Final = 200
_MOST: Final = 4096  # latest texts with a strike; a batch has at most 256


@dataclass(frozen=True, slots=True)
class Strikes:
    """How often the process died while computing a text."""

    count: int
    at: float
    """Time of the last death, in seconds since 1970."""
    engine: str
    """The engine and version; another one gives the text another chance."""


class Quarantine:
    """Decides which texts are computed alone, and which not at all; without a socket, none."""

    def __init__(self, socket: Path | None = None, now: Callable[[], float] = time.time) -> None:
        self.engine = ""
        """What computes now."""
        self._now = now
        self._strikes: dict[bytes, Strikes] = {}
        self._journal: int | None = None
        self._path = Path()
        if socket is not None:
            self._path = socket.with_name(socket.name + ".strikes")
            self._strikes = _read(self._path)
            self._journal = _open(socket.with_name(socket.name + ".batch"))
            self._count_deaths()

    def refuses(self, key: bytes) -> bool:
        """Whether a text must not be computed."""
        return bool(self._strikes) and self._deaths(key) >= REFUSED_AT

    def suspects(self, keys: Sequence[bytes]) -> bool:
        """Whether one of these must be computed alone."""
        return bool(self._strikes) and any(self._deaths(key) for key in keys)

    @contextmanager
    def computing(self, keys: Sequence[bytes]) -> Iterator[None]:
        """Record a forward pass by its texts' keys while it runs; success clears their strikes."""
        digests = [key for key in keys if key]
        self._note(digests)
        try:
            yield
        finally:
            self._note([])
        if self._strikes:
            self._acquit(digests)

    def acquit_all(self) -> None:
        """Blame no text for the end of the process, even if one is still being computed."""
        self._note([])

    def _deaths(self, key: bytes) -> int:
        if (strikes := self._strikes.get(key)) is None or strikes.engine != _cut(self.engine):
            return 0
        return strikes.count if 0 <= self._now() - strikes.at < KEEP_S else 0

    def _note(self, digests: Sequence[bytes]) -> None:
        if self._journal is not None:
            content = [len(digests).to_bytes(_COUNT_BYTES), *digests, _cut(self.engine).encode(), b"\n"]
            with contextlib.suppress(OSError):  # a full disk must not fail a text
                os.pwrite(self._journal, b"".join(content), 0)

    def _acquit(self, digests: Sequence[bytes]) -> None:
        if struck := [digest for digest in digests if digest in self._strikes]:
            for digest in struck:
                del self._strikes[digest]
            self._write()

    def _count_deaths(self) -> None:
        """Give a strike to each text in the batch during which the last process died."""
        digests, engine = _noted(self._journal)
        if not digests:
            return
        now, self.engine = self._now(), engine
        for digest in digests:
            self._strikes[digest] = Strikes(self._deaths(digest) + 1, now, engine)
        self._write()
        self._note([])
        refused = sum(map(self.refuses, digests))
        logs.get().warning(
            "the last process died during a forward pass",
            texts=len(digests),
            quarantined=refused,
            engine=engine,
            noted_in=str(self._path),
        )

    def _write(self) -> None:
        fresh = {digest: strikes for digest, strikes in self._strikes.items() if self._deaths(digest)}
        latest = sorted(fresh.items(), key=lambda entry: entry[1].at)[-_MOST:]
        self._strikes = dict(latest)
        content = {digest.hex(): [strikes.count, strikes.at, strikes.engine] for digest, strikes in latest}
        try:
            cache.write(self._path, json.dumps(content))
        except OSError as error:
            logs.get().warning("strikes cannot be written", path=str(self._path), reason=error.strerror)


def _read(path: Path) -> dict[bytes, Strikes]:
    """Read the strikes; none if the file is invalid."""
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
        return {
            bytes.fromhex(key): Strikes(int(count), float(at), str(name)) for key, (count, at, name) in entries.items()
        }
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        logs.get().warning("strikes cannot be read", path=str(path), reason=type(error).__name__)
        return {}


def _open(path: Path) -> int | None:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
    except OSError as error:
        logs.get().warning("batches cannot be recorded", path=str(path), reason=error.strerror)
        return None


def _noted(journal: int | None) -> tuple[list[bytes], str]:
    """Return the digests in the journal and their engine; none if it is invalid."""
    if journal is None:
        return [], ""
    try:
        content = os.pread(journal, _COUNT_BYTES + _MOST * _DIGEST_BYTES + _ENGINE_BYTES, 0)
    except OSError:
        return [], ""
    end = _COUNT_BYTES + int.from_bytes(content[:_COUNT_BYTES]) * _DIGEST_BYTES
    if end > len(content):
        return [], ""
    engine = content[end:].partition(b"\n")[0].decode(errors="replace")
    return [content[place : place + _DIGEST_BYTES] for place in range(_COUNT_BYTES, end, _DIGEST_BYTES)], engine


def _cut(engine: str) -> str:
    return engine.encode("ascii", "replace")[:_ENGINE_BYTES].decode()
