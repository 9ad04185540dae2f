"""Checks of the daemon through its socket."""

from __future__ import annotations

import asyncio
import base64
import json
import math
import struct
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import mul
from pathlib import Path
from typing import Final

from embedder_api import __version__
from embedder_api.v1 import embedder_pb2 as pb
from embedder_api.v1 import wire

from memory_mcp.domain.checks import STORE_UNREADABLE, Inquiry, View, skipped
from memory_mcp.domain.errors import EmbedderError, StoreError
from memory_mcp.domain.models import Condition, Finding, Lane, Space, Task
from memory_mcp.domain.ports import Embedder
from memory_mcp.embedder.client import GrpcEmbedder
from memory_mcp.health.checkup import in_thread
from memory_mcp.health.registry import Registry

MIN_COSINE: Final = 0.9995
"""The same limit as in the daemon's own golden check of its engines."""
LENGTH_TOLERANCE: Final = 0.01
REACH_SHARE: Final = 0.6
"""Share of the check's time that the daemon has to answer; the rest is for finding out why it did not."""
EMBED_SHARE: Final = 0.8
"""Share of the check's time that the daemon has to embed two texts."""
WRONG: Final = "restart the daemon; if that does not help, set EMBEDDER_ENGINE=torch and EMBEDDER_PRECISION=float32"


def register(registry: Registry, embedder: Embedder, expected: Callable[[], Awaitable[Space | None]]) -> None:
    """Register the checks of an embedder behind its breaker; `expected` returns the space of the store's vectors."""

    async def look(inquiry: Inquiry) -> Mapping[str, Finding]:
        try:
            async with asyncio.timeout(inquiry.seconds / 2):  # a store that hangs says nothing about the daemon
                space = await expected()
        except (StoreError, TimeoutError):
            return {"space": STORE_UNREADABLE, **await embedder.findings(None)}
        return {"space": of_space(space), **await embedder.findings(space.id if space else None)}

    registry.add_several(("daemon", "breaker", "space"), look, view=View.LIVE)


def of_space(space: Space | None) -> Finding:
    """Return the finding on the space of the store's vectors."""
    if space is None:
        return Finding(Condition.OK, "none", detail="the first vector determines it")
    return Finding(Condition.OK, "open", detail=f"{space.id}, {space.dimensions} dimensions")


@dataclass(frozen=True, slots=True)
class GoldenText:
    """A text and its expected vector in a space."""

    text: str
    vector: Sequence[float]

    @staticmethod
    def read(file: Path, space_id: str) -> GoldenText | None:
        """Read the golden text of middle length; None if the file is of another space.

        Raises:
            OSError, ValueError, KeyError: the file is missing or damaged.
        """
        told = json.loads(file.read_text(encoding="utf-8"))
        if told["space_id"] != space_id:
            return None
        row = told["rows"][len(told["rows"]) // 2]
        packed = base64.b64decode(row["vector"])  # float16
        return GoldenText(row["text"], struct.unpack(f"<{len(packed) // 2}e", packed))


class DaemonChecks:
    """Doctor's checks of the daemon, through one client.

    Args:
        client: of the daemon.
        golden: the files of golden texts and vectors, one for each space.
        explain: adds the cause to a bad finding, within some seconds.
        upgrade: returns the command that upgrades the daemon to this version.
        expected: returns the space of the store's vectors; None before the first.
    """

    def __init__(
        self,
        client: GrpcEmbedder,
        golden: Sequence[Path],
        *,
        explain: Callable[[Finding, float], Finding],
        upgrade: Callable[[], str],
        expected: Callable[[float], Space | None],
    ) -> None:
        self._client = client
        self._golden = golden
        self._explain = explain
        self._upgrade = upgrade
        self._expected = expected

    def register(self, registry: Registry) -> None:
        """Register the checks; the one of the space needs a healthy store."""
        registry.add("daemon", self._daemon)
        registry.add("version", self._version, needs=("daemon",))
        registry.add("space", self._space, needs=("store", "daemon"))
        registry.add("vector", self._vector, needs=("daemon",))

    async def _daemon(self, inquiry: Inquiry) -> Finding:
        """Report the daemon's state as `memory_health` does, with the cause if it does not answer."""
        found = (await self._client.findings(None, REACH_SHARE * inquiry.seconds))["daemon"]
        if found.condition is Condition.OK:
            return found
        return await in_thread(lambda: self._explain(found, inquiry.seconds))

    async def _version(self, inquiry: Inquiry) -> Finding:
        theirs = (await self._client.info(inquiry.seconds)).daemon_version
        if theirs == __version__:
            return Finding(Condition.OK, "equal", detail=f"{theirs}, the same as this one")
        command = await in_thread(self._upgrade)
        cause = f"the daemon is version {theirs}, this memory-mcp is {__version__}"
        return Finding(Condition.DEGRADED, "other", cause, f"{command}, then restart the clients")

    async def _space(self, inquiry: Inquiry) -> Finding:
        """Compare the daemon's space with the store's."""
        expected = await in_thread(lambda: self._expected(inquiry.seconds))
        if expected is None:
            return skipped("the store has no vectors yet")
        found = await self._client.findings(expected.id, inquiry.seconds)
        return found.get("space", Finding(Condition.OK, "equal", detail=expected.id))

    async def _vector(self, inquiry: Inquiry) -> Finding:
        """Embed a golden text and a new one, which no cache can hold, and judge both vectors."""
        info = await self._client.info(inquiry.seconds)
        golden = next(filter(None, (GoldenText.read(file, info.space_id) for file in self._golden)), None)
        texts = [f"doctor {uuid.uuid4().hex}", *([golden.text] if golden else [])]
        try:
            answer = await self._client.embed(
                texts,
                task=Task.DOCUMENT,
                lane=Lane.INTERACTIVE,
                budget_s=EMBED_SHARE * inquiry.seconds,
                expected_space=info.space_id,
            )
        except EmbedderError as error:
            if info.state == pb.STATE_ASLEEP:
                return skipped("the model was asleep and is being loaded; run this again")
            return Finding(Condition.DEGRADED, "none", str(error), error.fix)
        return _judged([item.vector for item in answer.items], [item.error for item in answer.items], info, golden)


def _judged(
    rows: Sequence[bytes | None], errors: Sequence[str], info: pb.InfoResponse, golden: GoldenText | None
) -> Finding:
    if refused := next(filter(None, errors), ""):
        return Finding(Condition.DEGRADED, "refused", f"the daemon rejected a plain test text: {refused}", WRONG)
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
        cause = f"the golden text's vector is wrong: cosine {cosine:.5f}, expected at least {MIN_COSINE}"
        return Finding(Condition.FAILED, "wrong", cause, WRONG)
    return Finding(Condition.OK, "golden", detail=f"cosine {cosine:.5f} to the golden vector")
