"""Texts that take the process down: once is bad luck, twice is quarantine."""

from __future__ import annotations

import asyncio
import json
import signal
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path

import grpc
import pytest

from embedder_daemon.engines.hash_engine import hash_vector
from embedder_daemon.scheduler.quarantine import KEEP_S, Quarantine
from tests.daemon.daemonkit import GateEngine, Process, serving, until

Start = Callable[..., Process]
HASH = ("--engine", "hash")
FAULTY = "tests.daemon.faulty"
KEY = bytes(range(32))


def _dies(process: Process, *texts: str) -> int:
    """Ask for texts of which one takes the process down; return the exit code."""
    with pytest.raises(grpc.RpcError) as caught:
        process.ready().embed(*texts)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    return process.wait()


@pytest.mark.parametrize(("deed", "code"), [("kill", -signal.SIGKILL), ("hang", 17)])
def test_a_text_that_kills_twice_is_refused(start: Start, folder: Path, deed: str, code: int) -> None:
    """The second death names it alone: it gets an item error then, and its neighbours their vectors."""
    texts = ["one", f"please {deed}", "two", "three"]
    for _ in range(2):
        assert _dies(start(*HASH, module=FAULTY, EMBEDDER_WATCHDOG_S="0.5"), *texts) == code
    process = start(*HASH, module=FAULTY, EMBEDDER_WATCHDOG_S="0.5").ready()
    answer = process.embed(*texts)
    assert [item.error.partition(":")[0] for item in answer.items] == ["", "quarantined", "", ""]
    assert answer.vectors == b"".join(map(hash_vector, ("one", "two", "three")))
    assert process.stats().quarantined == 1
    assert [json.loads(line).get("quarantined") for line in process.lines()[:1]] == [1]
    assert json.loads(process.lines()[0])["noted_in"].endswith("e.sock.strikes")
    for name in ("e.sock.batch", "e.sock.strikes"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
        assert deed.encode() not in (folder / name).read_bytes()
    assert process.stop() == 0


def _killed_in_a_batch(process: Process, folder: Path, text: str) -> None:
    """Kill the process while it computes a text that is not to blame."""
    with ThreadPoolExecutor() as pool:
        call = pool.submit(process.ready().embed, text)
        until(lambda: any((folder / "e.sock.batch").read_bytes()[:4]), "the batch is noted")
        process.stop(signal.SIGKILL)
        assert isinstance(call.exception(), grpc.RpcError)


def test_success_clears_a_strike(start: Start, folder: Path) -> None:
    """A text in whose batch the process was killed is computed, and starts anew; two deaths in a row are enough."""
    text = "please hang"
    for _ in range(2):
        _killed_in_a_batch(start(*HASH, module=FAULTY), folder, text)
        process = start(*HASH).ready()
        assert process.embed(text).vectors == hash_vector(text)
        assert process.stop(signal.SIGKILL) == -signal.SIGKILL  # idle: nobody is to blame
    for _ in range(2):
        _killed_in_a_batch(start(*HASH, module=FAULTY), folder, text)
    assert start(*HASH).ready().embed(text).items[0].error.startswith("quarantined: ")


async def test_a_stop_on_command_blames_nobody(folder: Path) -> None:
    """A pass that outlasts the grace of a stop is no death of its texts; what a later daemon reads says so."""
    engine = GateEngine(is_open=False)
    async with serving(folder, lambda: engine) as client:
        call = asyncio.create_task(client.embed("long"))
        await client.until_stats(lambda _: engine.entered.is_set(), "it is computed")
        assert any(_noted(folder))
        assert not await client.daemon.stop(0.1)
        assert not any(_noted(folder))
        with pytest.raises(grpc.aio.AioRpcError):
            await call
        engine.gate.set()


def test_another_engine_gives_another_chance(folder: Path) -> None:
    """Two deaths under one version of an engine quarantine the text there, and nowhere else."""
    deaths = []
    for _ in range(2):
        quarantine = Quarantine(folder / "e.sock")
        quarantine.engine = "openvino 1"
        deaths.append(_death(quarantine, KEY))
    quarantine = Quarantine(folder / "e.sock")
    for engine, refused in (("openvino 1", True), ("openvino 2", False), ("torch 1", False)):
        quarantine.engine = engine
        assert (quarantine.refuses(KEY), quarantine.suspects([KEY])) == (refused, refused)
    assert "openvino 1" in (folder / "e.sock.strikes").read_text()
    assert len(deaths) == 2


@pytest.mark.parametrize("name", ["e.sock.batch", "e.sock.strikes"])
@pytest.mark.parametrize(
    "make",
    [
        lambda path: path.write_bytes(b"\xff" * 40),
        lambda path: path.write_bytes(b"\0\0\0\2" + KEY),
        lambda path: path.write_text('{"00": [1e400, 1, ""]}'),
        lambda path: path.write_text("[" * 100_000),
        Path.mkdir,
        lambda path: path.symlink_to("nowhere/at/all"),
    ],
    ids=["garbage", "half", "nonsense", "deep", "folder", "link"],
)
def test_damaged_files_keep_nothing_from_serving(folder: Path, name: str, make: Callable[[Path], object]) -> None:
    """Whatever lies where the notes belong, no text is refused and passes are survived."""
    make(folder / name)
    for _ in range(2):
        quarantine = Quarantine(folder / "e.sock")
        with quarantine.computing([KEY]):
            assert not quarantine.refuses(KEY)
    assert (folder / name).is_dir() or (folder / name).is_symlink() or not any(_noted(folder))


def _noted(folder: Path) -> bytes:
    return (folder / "e.sock.batch").read_bytes()[:4]


def test_a_daemon_serves_beside_damaged_notes(start: Start, folder: Path) -> None:
    """A process whose notes can neither be read nor written says so and serves."""
    for name in ("e.sock.batch", "e.sock.strikes"):
        (folder / name).mkdir()
    process = start(*HASH).ready()
    assert process.embed("x").vectors == hash_vector("x")
    assert [json.loads(line)["level"] for line in process.lines()[:2]] == ["warning", "warning"]


def _death(quarantine: Quarantine, *keys: bytes) -> AbstractContextManager[None]:
    """Begin a pass that never ends, for as long as the returned value lives."""
    computing = quarantine.computing(keys)
    computing.__enter__()
    return computing


def test_the_quarantine_ends(folder: Path) -> None:
    """After some days a text gets another chance, also from a daemon that ran all the time."""
    now = 1e9
    deaths = [_death(Quarantine(folder / "e.sock", lambda: now), KEY) for _ in range(2)]
    quarantine = Quarantine(folder / "e.sock", lambda: now)
    assert quarantine.refuses(KEY)
    now += KEEP_S
    assert not quarantine.refuses(KEY)
    deaths.append(_death(quarantine, KEY))
    fresh = Quarantine(folder / "e.sock", lambda: now)
    assert (fresh.refuses(KEY), fresh.suspects([KEY])) == (False, True)
    assert len(deaths) == 3


def test_rows_without_a_key_are_nobodys_fault(folder: Path) -> None:
    """Texts without a digest are computed, and not blamed."""
    deaths = [_death(Quarantine(folder / "e.sock"), b"", KEY) for _ in range(2)]
    quarantine = Quarantine(folder / "e.sock")
    assert (quarantine.refuses(b""), quarantine.suspects([b""]), quarantine.refuses(KEY)) == (False, False, True)
    assert len(deaths) == 2
