"""A front that ingests what it is told: lines of JSON with paths on its input, what became of them on its output.

`python -m benchmarks.ingesting ADDRESS STORE`; benchmarks/documents.py and benchmarks/crowding.py ask it.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

from memory_mcp import app
from memory_mcp.documents.ingesting import Ingesting, IngestRequest
from memory_mcp.domain.jobs import IngestJob, JobFileState
from memory_mcp.domain.principal import Reach
from memory_mcp.settings import load

PATIENCE_S = 600.0
"""Seconds that a batch may wait for its vectors: a busy machine is to make it late, not to leave it for later."""


async def main(address: str, store: str) -> None:
    """Ingest until the input ends."""
    settings = load(sqlite_path=Path(store), embedder_address=address, bulk_budget_s=PATIENCE_S, log_level="error")
    async with app.running(settings) as services:
        assert services.ingesting is not None
        while line := await asyncio.to_thread(sys.stdin.readline):
            sys.stdout.write(json.dumps(await _ingested(services.ingesting, **json.loads(line))) + "\n")
            sys.stdout.flush()


async def _ingested(ingesting: Ingesting, paths: list[str], namespace: str) -> dict[str, Any]:
    begun = time.perf_counter()
    found = [Path(path) for path in paths]
    roots = tuple(path if path.is_dir() else path.parent for path in found)
    job = await ingesting.ingest_paths(found, IngestRequest(namespace, roots=roots))
    job = await ingesting.finish(job.id, Reach(namespace), _quiet)
    took_s = time.perf_counter() - begun
    lines = [
        line
        for state in (JobFileState.FAILED, JobFileState.LEFT_OUT)
        for line in await ingesting.job_lines(job.id, state, -1, 1_000)
    ]
    return {
        "state": job.state.value,
        "counts": {state.value: count for state, count in job.counts.items()},
        "sections": job.sections,
        "took_s": took_s,
        "errors": {line.uri.rpartition("/")[2]: line.error for line in lines},
    }


async def _quiet(_: IngestJob) -> None:
    """Look at no progress."""


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
