"""`python -m benchmarks.one_text`: one short text through the socket, in turns with `encode` in process.

Both are asked in blocks with a rest between, because torch's threads spin for a while after a call.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, cast

from benchmarks.kit import MODEL_PYTHON, Daemon, daemon, percentile, report, say
from tests.model.corpus import made_texts

BLOCKS, BLOCK = 8, 40
REST_S = 0.5


@dataclass(frozen=True, slots=True)
class Took:
    """Milliseconds of each text."""

    socket: list[float] = field(default_factory=list)
    forward: list[float] = field(default_factory=list)
    """Of the socket's, as the daemon says."""
    encode: list[float] = field(default_factory=list)


async def through_socket(served: Daemon, texts: list[str], took: Took) -> None:
    """Ask the daemon for one text after another."""
    for text in texts:
        begun = time.perf_counter()
        answer = await served.embed([text])
        took.socket.append((time.perf_counter() - begun) * 1e3)
        took.forward.append(answer.timing.compute_us / 1e3)


def ask(encoding: subprocess.Popen[str], line: object) -> object:
    """Give `benchmarks/in_process.py` a line, and return its answer."""
    told, said = cast("IO[str]", encoding.stdin), cast("IO[str]", encoding.stdout)
    told.write(json.dumps(line) + "\n")
    told.flush()
    answer: object = json.loads(said.readline())
    return answer


async def measured(encoding: subprocess.Popen[str]) -> Took:
    """Ask both in turns, after a block that does not count."""
    texts = [text[:60] for text in made_texts((BLOCKS + 1) * BLOCK)]
    took = Took()
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        async with daemon(folder, "--cache-mb", "0") as served:
            await through_socket(served, texts[:BLOCK], Took())
            ask(encoding, {"single": texts[:BLOCK], "bulk": texts[:1], "batch_sizes": [1]})
            for start in range(BLOCK, len(texts), BLOCK):
                block = texts[start : start + BLOCK]
                await asyncio.sleep(REST_S)
                await through_socket(served, block, took)
                await asyncio.sleep(REST_S)
                took.encode.extend(seconds * 1e3 for seconds in cast("list[float]", ask(encoding, block)))
    return took


def main() -> None:
    """Measure the engine that `auto` chooses."""
    command = [MODEL_PYTHON, Path(__file__).with_name("in_process.py")]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as encoding:
        took = asyncio.run(measured(encoding))
    socket, forward, encode = (percentile(each, 0.5) for each in (took.socket, took.forward, took.encode))
    report("one short text through the socket, p50", socket, "encode", encode, "ms", "at most 0.30")
    say(f"          the forward pass by itself: {forward:.2f} ms, {forward / encode:.2f} of encode")
    least = percentile(took.socket, 0.1), percentile(took.encode, 0.1)
    report("the same, the tenth part", least[0], "encode", least[1], "ms")


if __name__ == "__main__":
    main()
