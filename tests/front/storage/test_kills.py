"""SIGKILL at any moment of a process that does everything, while three more write."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from memory_mcp.storage.sqlite.store import SqliteStore
from tests.front.storage.audit import LIVE, audit, column, opened
from tests.front.storage.conftest import Start
from tests.front.storage.killing import ended, let_write, logged, start_others, told

BATCH = 5
EVERYTHING = """
import asyncio, sys
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from memory_mcp.domain.models import Change, Chunk
from memory_mcp.storage.sqlite.store import SqliteStore
from tests.contracts.shelf import HERE, OTHER_SPACE, SPACE, new, put, towards, whole

path = Path(sys.argv[1])

async def reembed(store, space):
    while not await store.activate_space(space):
        lacking = await store.missing_vectors(space, 0, 20)
        await store.backfill(space, [(of, [Chunk(0, len(of.content), towards(of.key))]) for of in lacking])

async def main():
    store = SqliteStore(path)

    def done(kind, *ids):
        sys.stdout.write("".join(f"{kind} {memory_id}\\n" for memory_id in ids))
        sys.stdout.flush()

    for n in count():
        memory = await put(store, f"memory {n}", towards(n % 90), id=f"m{n}", tags=(f"t{n % 3}",))
        done("store", memory.id)
        if n % 2 == 0:
            memory = await store.update(memory, Change(content=f"changed {n}"), whole(f"changed {n}"), None)
            done("update", memory.id)
            [waiting] = await store.pending(1)
            length = len(waiting.text)
            space = await store.read(lambda it: it.space())
            await store.set_vectors(space, [(waiting.passage_id, [Chunk(0, length, towards(1))])])
        if n % 3 == 0:
            await store.delete([memory.id], HERE, dry_run=False)
            done("delete", memory.id)
        if n % 6 == 0:
            await store.undelete(await store.deleted(memory.id, "here"), whole(memory.content, towards(2)))
            done("undelete", memory.id)
        if n % 4 == 0:
            many = [(new(f"memory {n}-{i}", id=f"m{n}-{i}"), whole(f"memory {n}-{i}", towards(i))) for i in range(5)]
            await store.add(many)
            done("store", *[item.id for item, _ in many])
        if n % 5 == 0:
            await reembed(store, OTHER_SPACE if n % 2 else SPACE)
        if n % 7 == 0:
            await store.backup(path.with_name(f"backup-{n}.db"))
            done("backup", f"backup-{n}.db")

asyncio.run(main())
"""


@pytest.mark.parametrize(
    "acknowledged", [1, 40, 173, *(pytest.param(moment, marks=pytest.mark.slow) for moment in range(2, 200))]
)
async def test_what_was_acknowledged_survives_a_kill(path: Path, start: Start, acknowledged: int) -> None:
    """Every acknowledged write of four processes and at most one more of the killed one is there; all indexes agree."""
    others = start_others(start, path)
    process = start(EVERYTHING, path)
    let_write(others)
    assert process.stdout is not None
    read = "".join(process.stdout.readline() for _ in range(acknowledged))
    process.kill()
    acts = told(read) + ended(process)
    for prefix, other in others.items():
        assert ended(other) == logged(path, prefix)
        assert other.returncode == 0
    audit(path)
    for kind, name in acts:
        if kind == "backup":
            audit(path.with_name(name))
    writes = [act for act in acts if act[0] != "backup"]
    log = logged(path, "m")
    assert writes == log[: len(writes)]
    assert len(log) - len(writes) in {0, 1, BATCH}
    await _check_state(path, log)


async def _check_state(path: Path, log: list[tuple[str, str]]) -> None:
    """Check that memories and revisions are what the log says."""
    last = {memory_id: kind for kind, memory_id in log}
    with opened(path) as db:
        live = [memory_id for memory_id in column(db, LIVE.replace("key", "id")) if memory_id.startswith("m")]
        assert live == sorted(memory_id for memory_id, kind in last.items() if kind != "delete")
        updated = column(db, "SELECT id FROM revisions JOIN memories USING (key)")
        assert Counter(updated) == Counter(memory_id for kind, memory_id in log if kind == "update")
    store = SqliteStore(path)
    for memory_id in live:
        content = (await store.get(memory_id, "here")).content
        assert content == f"{'changed' if memory_id in updated else 'memory'} {memory_id[1:]}"
    await store.close()
