"""A cluster of Ray on this machine, a front's client of it, and load."""

from __future__ import annotations

import asyncio
import json
import os
import select
import subprocess
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, Any, Final, Self, cast

from memory_mcp.domain.errors import EmbedderError
from memory_mcp.domain.models import Lane, Task
from memory_mcp.embedder.client import GrpcEmbedder
from tests.services.servers import free_port

ROOT: Final = Path(__file__).parents[2]
PYTHON: Final = ROOT / ".venv-ray" / "bin" / "python"
PATIENCE_S: Final = 180.0
NODES: Final = 3
CHANGES: Final[Mapping[str, dict[str, object]]] = {
    "settings": {"EMBEDDER_ENGINE": "hash"},
    "autoscaling": {"min_replicas": 1, "max_replicas": NODES, "look_back_period_s": 2, "upscale_delay_s": 1},
    "policy": {"texts_per_replica": 200},
}
SERVES: Final = {
    "RAY_SERVE_ENABLE_HA_PROXY": "1",
    "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "1",
    "RAY_SERVE_REPLICA_AUTOSCALING_METRIC_PUSH_INTERVAL_S": "0.5",
    "RAY_USAGE_STATS_ENABLED": "0",
}
CALLERS: Final = 8


class Cluster:
    """`cluster.py` in Ray's environment."""

    def __init__(self, log: Path, changes: Mapping[str, object] = CHANGES) -> None:
        self.port = free_port()
        paths = [ROOT, ROOT / "protos", ROOT / "deploy" / "ray", ROOT / "tests" / "ray"]
        command = [str(PYTHON), "-u", str(ROOT / "tests" / "ray" / "cluster.py"), str(self.port), str(free_port())]
        self.log = log
        with log.open("wb") as stderr:
            self._popen = subprocess.Popen(
                [*command, json.dumps(changes)],
                env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(map(str, paths))} | SERVES,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
            )
        assert self._answer() == "ready"

    def _answer(self) -> Any:
        out = cast(IO[bytes], self._popen.stdout)
        assert select.select([out], [], [], PATIENCE_S)[0], self.log.read_text(errors="replace")[-4000:]
        line = out.readline()
        assert line, self.log.read_text(errors="replace")[-4000:]
        return json.loads(line)

    async def ask(self, what: str, given: object = None) -> Any:
        """Let the cluster do something, and return what it says."""
        stdin = cast(IO[bytes], self._popen.stdin)
        stdin.write(json.dumps({what: given}).encode() + b"\n")
        stdin.flush()
        return await asyncio.to_thread(self._answer)

    async def until_replicas(self, count: int) -> list[str]:
        """Wait until so many run, and return their nodes."""
        end = time.monotonic() + PATIENCE_S
        while len(nodes := cast(list[str], await self.ask("replicas"))) != count:
            assert time.monotonic() < end, nodes
        return nodes

    def end(self) -> None:
        """Let the nodes end, and kill what is left."""
        try:
            self._popen.communicate(timeout=PATIENCE_S)
        finally:
            self._popen.kill()


@asynccontextmanager
async def client_of(port: int) -> AsyncIterator[GrpcEmbedder]:
    """Make a front's client, and close it."""
    client = GrpcEmbedder(f"dns:///127.0.0.1:{port}")
    yield client
    await client.close()


async def embed(client: GrpcEmbedder, *texts: str, lane: Lane = Lane.INTERACTIVE, space: str | None = None) -> None:
    """Embed as a front does."""
    answer = await client.embed(texts, task=Task.DOCUMENT, lane=lane, budget_s=30.0, expected_space=space)
    assert all(item.vector for item in answer.items)


class Load:
    """Callers that embed until they are stopped, and remember what failed."""

    def __init__(self, client: GrpcEmbedder, texts: int, lane: Lane) -> None:
        self._client, self._texts, self._lane = client, texts, lane
        self.answered = 0
        self.failed: list[EmbedderError] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def _call(self, number: int) -> None:
        while True:
            texts = [f"{number} {self.answered} {text} " + "word " * 60 for text in range(self._texts)]
            try:
                await embed(self._client, *texts, lane=self._lane)
            except EmbedderError as error:
                self.failed.append(error)
                return
            self.answered += 1

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._call(number)) for number in range(CALLERS)]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def more(self, calls: int) -> None:
        """Wait for so many more answers, or a failure."""
        end, wanted = time.monotonic() + PATIENCE_S, self.answered + calls
        while self.answered < wanted and not self.failed:
            assert time.monotonic() < end
            await asyncio.sleep(0.05)
