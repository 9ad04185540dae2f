"""`python -m benchmarks.models`: what a question, bulk and memory cost with each model that we install, in turns.

The multilingual one has to be in the daemon's environment, and its engines measured; see benchmarks/retrieval.py.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack

from embedder_api.v1 import embedder_pb2 as pb

from benchmarks.kit import DATA, Daemon, daemon, percentile, report, say
from memory_common.pins import BUNDLED_MODEL, MULTILINGUAL
from tests.model.corpus import made_texts, real_texts

MODELS = (BUNDLED_MODEL, MULTILINGUAL)
QUESTIONS, WARM, BULK, REQUEST = 120, 20, 256, 64


async def one(served: Daemon, text: str) -> float:
    """Return the milliseconds of a question."""
    begun = time.perf_counter()
    await served.embed([text])
    return (time.perf_counter() - begun) * 1e3


async def bulk(served: Daemon, texts: Sequence[str]) -> float:
    """Return the seconds of a call."""
    begun = time.perf_counter()
    await served.embed(list(texts), pb.LANE_BULK)
    return time.perf_counter() - begun


async def main() -> None:
    """Measure both."""
    asked, texts = [text[:60] for text in made_texts(QUESTIONS + WARM)], real_texts(DATA, BULK)
    async with AsyncExitStack() as stack:
        both = []
        for model in MODELS:
            folder = stack.enter_context(tempfile.TemporaryDirectory(dir="/tmp"))
            served = await stack.enter_async_context(daemon(folder, "--cache-mb", "0", "--model", model))
            info: pb.InfoResponse = await served.stub.Info(pb.InfoRequest())
            say(f"{model}: {info.engine} {info.precision}, serving after {served.start_s:.1f} s")
            both.append(served)
        questions = [[await one(served, text) for served in both] for text in asked][WARM:]
        parts = [texts[start : start + REQUEST] for start in range(0, len(texts), REQUEST)]
        took = [[await bulk(served, part) for served in both] for part in parts]
        bundled, other = (percentile([each[place] for each in questions], 0.5) for place in range(2))
        report("one question, p50", other, BUNDLED_MODEL, bundled, "ms")
        bundled, other = (len(texts) / sum(each[place] for each in took) for place in range(2))
        report("bulk", other, BUNDLED_MODEL, bundled, "texts/s")
        report("resident after all this", both[1].resident_mb(), BUNDLED_MODEL, both[0].resident_mb(), "MB")


if __name__ == "__main__":
    asyncio.run(main())
