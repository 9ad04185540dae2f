"""`memory-mcp hook` against `memory-mcp --version`, in turns, on a store of its own: `python -m benchmarks.hooks`."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Final

from benchmarks.front import texts
from benchmarks.kit import FRONT, percentile, report, say
from memory_mcp import settings
from memory_mcp.app import opened
from memory_mcp.domain.models import NewMemory

MEMORIES: Final = 3_000
TURNS: Final = 40
PROJECT: Final = "default"
PINNED: Final = 5


async def fill(store: Path, address: str) -> None:
    """Store what the hooks look at: notes, some of each type that a start shows, a few pinned."""
    kinds = ("note", "note", "note", "task", "decision", "fact")
    news = [
        NewMemory(
            text,
            PROJECT,
            type=kinds[number % len(kinds)],
            tags=("pinned",) if number < PINNED else (),
            conversation_id=f"talk {number // 20}",
        )
        for number, text in enumerate(texts(MEMORIES, 20))
    ]

    async def unheard(_done: int) -> None:
        """Ignore progress."""

    async with opened(settings.load(sqlite_path=store, embedder_address=address)) as services:
        await services.memories.store_many(news, unheard)


def took_ms(environment: dict[str, str], *words: str, given: dict[str, str] | None = None) -> tuple[float, int]:
    """Run the program; return its wall time and how much it printed."""
    begun = time.perf_counter()
    done = subprocess.run(
        [str(FRONT), *words], env=environment, input=json.dumps(given or {}).encode(), capture_output=True, check=True
    )
    return 1000 * (time.perf_counter() - begun), len(done.stdout)


def main() -> None:
    """Measure, each in its turn, so that what else the machine does costs all of them alike."""
    with tempfile.TemporaryDirectory(prefix="mm-", dir="/tmp") as folder:
        store, address = Path(folder, "memory.db"), f"unix:{folder}/nobody.sock"
        asyncio.run(fill(store, address))
        environment = {
            "HOME": folder,
            "PATH": os.environ["PATH"],
            "MCP_MEMORY_SQLITE_PATH": str(store),
            "MCP_MEMORY_EMBEDDER_ADDRESS": address,
        }
        versions, starts, prompts, shown = [], [], [], 0
        queries = texts(TURNS, 8)
        for turn in range(-2, TURNS):  # the first two warm the disk's cache
            version = took_ms(environment, "--version")[0]
            start = took_ms(
                environment, "hook", "session-start", "--client", "codex", given={"session_id": f"s{turn}"}
            )[0]
            asked = {"session_id": f"p{turn}", "prompt": queries[turn]}
            prompt, printed = took_ms(environment, "hook", "prompt-submit", "--client", "codex", given=asked)
            if turn >= 0:
                versions.append(version)
                starts.append(start)
                prompts.append(prompt)
                shown += printed > 0
    floor = percentile(versions, 0.5)
    what = f"on {MEMORIES:,} memories, p50 of {TURNS}"
    report(f"hook session-start {what}", percentile(starts, 0.5), "--version", floor, "ms", "1.5, under 300 ms")
    report(f"hook prompt-submit {what}", percentile(prompts, 0.5), "--version", floor, "ms", "under 250 ms")
    say(f"at most: session-start {max(starts):.0f} ms, prompt-submit {max(prompts):.0f} ms; {shown} prompts answered")


if __name__ == "__main__":
    main()
