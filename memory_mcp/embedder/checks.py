"""What doctor asks of the daemon, through its socket."""

from __future__ import annotations

import base64
import json
import math
import os
import shlex
import stat
import struct
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from operator import mul
from pathlib import Path
from typing import Final

from embedder_api import __version__
from embedder_api.v1 import embedder_pb2 as pb
from embedder_api.v1 import wire

from memory_mcp.domain.checks import OTHERS, Seen
from memory_mcp.domain.errors import EmbedderError
from memory_mcp.domain.models import Condition, Finding, Lane, Space, Task
from memory_mcp.embedder.client import GrpcEmbedder

MIN_COSINE: Final = 0.9995
"""What the daemon asks of its engines at their start."""
LENGTH_TOLERANCE: Final = 0.01
EMBED_SHARE: Final = 0.8
"""Of the check's time that the daemon has for two texts."""
WRONG: Final = "restart the daemon; if it stays so, set EMBEDDER_ENGINE=torch and EMBEDDER_PRECISION=float32 for it"


def in_the_way(path: Path) -> Finding | None:
    """Say what keeps a daemon from listening there: anything but a socket."""
    if not path.exists() or path.is_socket():
        return None
    return Finding(Condition.DEGRADED, "blocked", f"{path} is no socket, so that no daemon can listen", _away(path))


def socket(path: Path, seconds: float) -> Seen:
    """Say whose the socket is, and who may use it."""
    del seconds  # no call here can be told to end
    if not path.is_socket():
        return "see daemon"
    found, folder = path.stat(), path.parent.stat()
    if found.st_uid != os.getuid():
        return Finding(Condition.FAILED, "foreign", f"{path} belongs to another user, {found.st_uid}", _away(path))
    for place, mode, wanted in ((path, found.st_mode, "600"), (path.parent, folder.st_mode, "700")):
        if mode & OTHERS:
            cause = f"{place} has mode {stat.S_IMODE(mode):o}, so that others on this machine may reach the daemon"
            return Finding(Condition.DEGRADED, "not private", cause, f"chmod {wanted} {shlex.quote(str(place))}")
    return Finding(Condition.OK, "private", detail=f"{path}, for this user alone")


def _away(path: Path) -> str:
    return f"move {path} away and start the daemon again"


@dataclass(frozen=True, slots=True)
class Golden:
    """A text of a space and the vector that it has to get."""

    text: str
    vector: Sequence[float]

    @staticmethod
    def read(file: Path, space_id: str) -> Golden | None:
        """Read the one of middle length; None where the file has another space's.

        Raises:
            OSError, ValueError, KeyError: the file is not as it was shipped.
        """
        told = json.loads(file.read_text(encoding="utf-8"))
        if told["space_id"] != space_id:
            return None
        row = told["rows"][len(told["rows"]) // 2]
        packed = base64.b64decode(row["vector"])  # float16
        return Golden(row["text"], struct.unpack(f"<{len(packed) // 2}e", packed))


class DaemonChecks:
    """Checks through one client."""

    def __init__(self, client: GrpcEmbedder, golden: Path) -> None:
        self._client = client
        self._golden = golden

    async def daemon(self, seconds: float) -> Finding:
        """Say whether it answers, and in which state it is, as `memory_health` does."""
        return (await self._client.findings(None, seconds))["daemon"]

    async def version(self, seconds: float) -> Seen:
        """Say whether it is of this version."""
        theirs = (await self._client.info(seconds)).daemon_version
        if theirs == __version__:
            return Finding(Condition.OK, "equal", detail=f"{theirs}, as this one")
        cause = f"the daemon is {theirs}, this is {__version__}"
        return Finding(Condition.DEGRADED, "other", cause, "memory-mcp daemon restart, then restart the clients")

    async def space(self, expected: Space | None, seconds: float) -> Seen:
        """Compare what it serves with the store's space."""
        if expected is None:
            return "the store has no vectors yet"
        found = await self._client.findings(expected.id, seconds)
        return found.get("space", Finding(Condition.OK, "equal", detail=expected.id))

    async def vector(self, seconds: float) -> Seen:
        """Have a golden text and one that is new embedded, the model's own and not from a cache, and judge both."""
        info = await self._client.info(seconds)
        golden = Golden.read(self._golden, info.space_id)
        texts = [f"doctor {uuid.uuid4().hex}", *([golden.text] if golden else [])]
        try:
            answer = await self._client.embed(
                texts,
                task=Task.DOCUMENT,
                lane=Lane.INTERACTIVE,
                budget_s=EMBED_SHARE * seconds,
                expected_space=info.space_id,
            )
        except EmbedderError as error:
            if info.state == pb.STATE_ASLEEP:
                return "its model was asleep and is being loaded: run this again"
            return Finding(Condition.DEGRADED, "none", str(error), error.fix)
        return _judged([item.vector for item in answer.items], [item.error for item in answer.items], info, golden)


def _judged(
    rows: Sequence[bytes | None], errors: Sequence[str], info: pb.InfoResponse, golden: Golden | None
) -> Finding:
    if refused := next(filter(None, errors), ""):
        return Finding(Condition.DEGRADED, "refused", f"the daemon embeds no harmless text: {refused}", WRONG)
    vectors = [wire.unpack(row) for row in rows if row is not None]
    for vector in vectors:
        length = math.sqrt(sum(map(mul, vector, vector)))
        if len(vector) != info.dimensions or not abs(length - 1) < LENGTH_TOLERANCE:
            cause = f"a vector has {len(vector)} dimensions and length {length:.3f}, not {info.dimensions} and 1"
            return Finding(Condition.FAILED, "wrong", cause, WRONG)
    if golden is None:
        told = f"{info.dimensions} finite numbers of length 1; there is no golden vector of {info.space_id}"
        return Finding(Condition.OK, "sound", detail=told)
    cosine = sum(map(mul, vectors[1], golden.vector)) / math.sqrt(sum(map(mul, golden.vector, golden.vector)))
    if not cosine >= MIN_COSINE:
        cause = f"the golden text's vector is wrong: cosine {cosine:.5f}, at least {MIN_COSINE} is right"
        return Finding(Condition.FAILED, "wrong", cause, WRONG)
    return Finding(Condition.OK, "golden", detail=f"cosine {cosine:.5f} to the golden vector")
