"""`python -m benchmarks.postgres [SIZES]`: SQLite and PostgreSQL in turns, over stdio, with the same memories.

The server is that of `.venv-services`, with fsync and 1 GB of buffers; its user owns the tables and is no superuser, so
that row-level security is paid for. Then 1 to 8 fronts search PostgreSQL at the same time.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import psycopg

from benchmarks.kit import FRONT, Daemon, daemon, report, say
from benchmarks.scale import BATCH, Rows, Turn, fill, fill_store, turns, vectors
from benchmarks.store import ASKED, KNOWN, Line, in_turns
from memory_mcp.domain.models import Space
from memory_mcp.storage.postgres.vectors import graphs
from tests.services.postgres import Postgres, serving, store_at

SIZES: Final = (3_000, 100_000)
TARGETS: Final = {3_000: "at most 2.5", 100_000: "at most 1.5"}
ROUNDS: Final = 200
FRONTS: Final = (1, 2, 4, 8)
SECONDS: Final = 8
OWNER: Final = "bench"


def made(server: Postgres, database: str) -> str:
    """Make an empty database of a user who is no superuser; return its address."""
    user = f"DO $$ BEGIN CREATE ROLE {OWNER} LOGIN PASSWORD 's3cret'; EXCEPTION WHEN duplicate_object THEN END $$"
    server.sql("postgres", user, f"CREATE DATABASE {database} OWNER {OWNER}")
    server.sql(database, "CREATE EXTENSION vector")
    return server.of(database, OWNER)


async def fill_postgres(url: str, space: Space, said: list[Turn], rows: Rows, count: int) -> None:
    """Store so many memories as the store does, but build the graphs at the end: on a full table that is faster."""
    store = store_at(url)
    await fill_store(store, space, said, rows, range(min(count, BATCH)))
    with psycopg.connect(url, autocommit=True) as connection:
        for part in range(8) if count > BATCH else ():
            connection.execute(f"DROP INDEX memory_mcp.vectors_1_{part:d}_nearest")
    await fill_store(store, space, said, rows, range(BATCH, count))
    await store.close()
    with psycopg.connect(url, autocommit=True) as connection:
        begun = time.perf_counter()
        graphs.mend(connection)
        say(f"         graphs built in {time.perf_counter() - begun:.0f} s")
        connection.execute("VACUUM ANALYZE")


async def in_pairs(size: int, environments: dict[str, dict[str, str]], asked: list[str]) -> None:
    """Search and store, the two fronts in turns."""
    fronts = {name: Line([str(FRONT), "serve"], environment) for name, environment in environments.items()}
    parts = {name: lambda at, front=front: searched(front, asked[at]) for name, front in fronts.items()}
    took = await in_turns(ROUNDS, **parts)
    report(f"search of {size:,}, p50", took["postgres"], "SQLite", took["sqlite"], "ms", TARGETS.get(size, ""))
    parts = {name: lambda at, front=front: stored(front, f"{asked[at]} {at}") for name, front in fronts.items()}
    took = await in_turns(ROUNDS // 2, **parts)
    report(f"memory_store in {size:,}, p50", took["postgres"], "SQLite", took["sqlite"], "ms", "at most 2")
    for front in fronts.values():
        front.close()


def searched(front: Line, query: str) -> None:
    """Search with vectors."""
    assert not front.tool("memory_search", query=query)["degraded"]


def stored(front: Line, content: str) -> None:
    """Store what is new, with its vector."""
    assert front.tool("memory_store", content=content)["embedded"]


def together(environment: dict[str, str], asked: list[str], fronts: int) -> None:
    """Let several fronts search at once; say how many searches a second they do, and how busy the machine is."""
    lines = [Line([str(FRONT), "serve"], environment) for _ in range(fronts)]
    for line in lines:
        searched(line, asked[0])
    busy, until = _busy(), time.perf_counter() + SECONDS

    def run(number: int) -> int:
        done = 0
        while time.perf_counter() < until:
            searched(lines[number], asked[(number * 97 + done) % len(asked)])
            done += 1
        return done

    with ThreadPoolExecutor(fronts) as threads:
        done = sum(threads.map(run, range(fronts)))
    used, passed = (after - before for after, before in zip(_busy(), busy, strict=True))
    say(f"{fronts} fronts: {done / SECONDS:6.1f} searches/s, cores {100 * used / passed:.0f} % busy")
    for line in lines:
        line.close()


def _busy() -> tuple[float, float]:
    """Return the ticks that all cores worked, and all ticks."""
    ticks = [float(tick) for tick in Path("/proc/stat").read_text(encoding="ascii").splitlines()[0].split()[1:9]]
    return sum(ticks) - ticks[3] - ticks[4], sum(ticks)


async def measure(served: Daemon, server: Postgres, folder: str, size: int, said: list[Turn]) -> None:
    """Fill both stores, and measure them."""
    known, asked = said[:KNOWN], [turn.text for turn in said[KNOWN:]]
    space, rows = await vectors(served, [turn.text for turn in known])
    path, url = Path(folder) / f"{size}.db", made(server, f"of_{size}")
    await fill(path, space, known, rows, size)
    await fill_postgres(url, space, known, rows, size)
    common = {"MCP_MEMORY_EMBEDDER_ADDRESS": served.address, "MCP_MEMORY_RESPONSE_CACHE_ENABLED": "0"}
    postgres = common | {"MCP_MEMORY_STORAGE_BACKEND": "postgres", "MCP_MEMORY_POSTGRES_URL": url}
    sqlite = common | {"MCP_MEMORY_SQLITE_PATH": str(path)}
    await in_pairs(size, {"sqlite": sqlite, "postgres": postgres}, asked)
    for fronts in FRONTS:
        together(postgres, asked, fronts)


async def main(arguments: Sequence[str]) -> None:
    """Measure the sizes that are named, or all."""
    said = turns(KNOWN + ASKED)
    with tempfile.TemporaryDirectory(dir="/tmp") as folder, serving("shared_buffers = '1GB'") as server:
        async with daemon(folder, "--cache-mb", "0") as served:
            for size in map(int, arguments or SIZES):
                await measure(served, server, folder, size, said)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
