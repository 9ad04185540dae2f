"""Checks are registered by their parts, and run at once, each within its time."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from pathlib import Path

import pytest

from memory_mcp.app import examine_machine, make_services
from memory_mcp.domain.checks import Inquiry, Look, View, skipped
from memory_mcp.domain.errors import StoreError
from memory_mcp.domain.models import Condition, Finding, Totals
from memory_mcp.domain.ports import Store
from memory_mcp.domain.principal import local_user
from memory_mcp.health.registry import Registry
from memory_mcp.machine_checks import DoctorOptions
from memory_mcp.processes import is_front
from memory_mcp.settings import STORES, Settings, defaults, load
from memory_mcp.tools.base import Call
from memory_mcp.tools.health import HEALTH
from tests.fakes.embedder import FakeEmbedder
from tests.fakes.store import FakeStore

WELL = Finding(Condition.OK, "well")
ILL = Finding(Condition.DEGRADED, "ill")


async def _well(inquiry: Inquiry) -> Finding:
    return WELL


async def _ill(inquiry: Inquiry) -> Finding:
    return ILL


async def _endless(inquiry: Inquiry) -> Finding:
    await asyncio.Event().wait()
    return WELL


def _fails(error: Exception) -> Look:
    async def look(inquiry: Inquiry) -> Finding:
        raise error

    return look


async def _parts(registry: Registry, seconds: float = 20) -> Mapping[str, Finding]:
    return (await registry.machine(seconds)).parts


async def test_what_needs_a_part_that_is_ill_is_left_out() -> None:
    """Also at second hand, and behind what there was nothing to say of; the worst of the rest is the status."""

    async def silent(inquiry: Inquiry) -> Finding:
        return skipped("there is none")

    registry = Registry()
    registry.add("a", _well)
    registry.add("b", _ill, needs=("a",))
    registry.add("c", _well, needs=("b",))
    registry.add("d", silent)
    registry.add("e", _well, needs=("a", "d"))
    report = await registry.machine(20)
    assert report.parts == {
        "a": WELL,
        "b": ILL,
        "c": skipped("see b"),
        "d": skipped("there is none"),
        "e": skipped("see d"),
    }
    assert report.status is Condition.DEGRADED


async def test_each_finding_is_told_as_it_arrives() -> None:
    """One that hangs keeps no other back; what needs it comes after it."""
    released = asyncio.Event()

    async def held(inquiry: Inquiry) -> Finding:
        await released.wait()
        return WELL

    registry = Registry()
    registry.add("slow", held)
    registry.add("after", _well, needs=("slow",))
    registry.add("quick", _ill)
    told: asyncio.Queue[str] = asyncio.Queue()
    looking = asyncio.create_task(registry.machine(20, lambda name, _: told.put_nowait(name)))
    assert await told.get() == "quick"
    released.set()
    assert [await told.get(), await told.get()] == ["slow", "after"]
    assert sorted((await looking).parts) == sorted(registry.machine_parts()) == ["after", "quick", "slow"]


async def test_what_is_not_judged_is_not_wrong() -> None:
    """A part of which there is nothing to say leaves the status as it is, with its reason in its own line."""
    registry = Registry()
    registry.add_blocking("off", lambda _: ILL, skip="it is off")
    report = await registry.machine(20)
    assert (report.status, report.parts) == (Condition.OK, {"off": skipped("it is off")})


async def test_each_view_shows_its_own_checks() -> None:
    """A part may be looked at in one way by what runs and in another by doctor, or in the same way by both."""
    registry = Registry()
    registry.add("store", _ill, view=View.LIVE)
    registry.add("store", _well, view=View.MACHINE)
    registry.add("both", _well, view=View.LIVE | View.MACHINE)
    live, machine = await registry.live(), await registry.machine(20)
    assert (live.status, live.parts) == (Condition.DEGRADED, {"store": ILL, "both": WELL})
    assert (machine.status, machine.parts) == (Condition.OK, {"store": WELL, "both": WELL})


async def test_one_question_may_tell_of_several_parts() -> None:
    """Of one namespace where only that may be spoken of; when it fails, it fails for each of them."""
    asked = []

    async def look(inquiry: Inquiry) -> Mapping[str, Finding]:
        asked.append(inquiry.namespace)
        return {"one": WELL, "other": ILL} if inquiry.namespace else {"one": WELL}

    registry = Registry()
    registry.add_several(("one", "other"), look, view=View.LIVE)
    report = await registry.live("mine")
    assert report.parts == {"one": WELL, "other": ILL}
    report = await registry.live()
    assert {name: finding.state for name, finding in report.parts.items()} == dict.fromkeys(("one", "other"), "broken")
    assert asked == ["mine", None]


async def test_memory_health_tells_of_what_was_registered() -> None:
    """A part that registers itself is shown beside the others, with its fix in the text; one that is off says so."""

    async def broken(inquiry: Inquiry) -> Finding:
        return Finding(Condition.FAILED, "stuck", "no reader starts", "restart it")

    async def off(inquiry: Inquiry) -> Finding:
        return skipped("it is off")

    services = make_services(defaults(), FakeStore(), FakeEmbedder())
    services.health.add("documents", broken, view=View.LIVE)
    services.health.add("web", off, view=View.LIVE)
    call = Call(services, local_user("default"), _unheard)
    result = await HEALTH.run(call, HEALTH.arguments())
    told = result.structured()
    parts = ["daemon", "breaker", "space", "store", "queue", "upkeep", "folders", "background"]
    assert list(told) == ["status", *parts, "documents", "web"]
    assert told["status"] == "failed"
    assert told["documents"] == {"state": "stuck", "cause": "no reader starts", "fix": "restart it", "detail": ""}
    assert told["web"] == {"state": "skipped", "cause": "", "fix": "", "detail": "it is off"}
    assert result.text() == "Status: failed.\ndocuments: stuck. no reader starts Fix: restart it"


async def _unheard(done: int, total: int) -> None:
    """Let nobody hear of progress."""


async def test_what_is_behind_a_part_is_left_out_where_that_is_ill() -> None:
    """Whatever it needs besides; it is made where the part is well."""
    for look, expected in ((_well, WELL), (_ill, skipped("see settings"))):
        registry = Registry()
        registry.add("settings", look)
        behind = registry.behind("settings")
        behind.add("store", _well)
        behind.add("queue", _well, needs=("store",))
        parts = await _parts(registry)
        assert (parts["store"], parts["queue"]) == (expected, expected)


def test_a_mistake_in_a_registration_is_refused() -> None:
    """A part that has a check already; one that needs what comes later, or in the other view."""
    registry = Registry()
    registry.add("a", _well)
    with pytest.raises(ValueError, match="a check of a is already registered"):
        registry.add("a", _well, view=View.MACHINE | View.LIVE)
    with pytest.raises(ValueError, match="register later before b"):
        registry.add("b", _well, needs=("later",))
    with pytest.raises(ValueError, match="register a before b"):
        registry.add("b", _well, view=View.LIVE, needs=("a",))


async def test_what_only_doctor_looks_at_registers_when_it_is_asked() -> None:
    """Once, and behind what has registered; a check that should be live as well is refused, not left out in silence."""

    def machine(registry: Registry) -> None:
        registry.add("disk", _well)
        registry.behind("settings").add("tokens", _well)

    registry = Registry()
    registry.defer(machine)
    registry.add("settings", _ill)
    registry.add("both", _well, view=View.LIVE | View.MACHINE)
    assert list((await registry.live()).parts) == ["both"]
    for _ in range(2):
        parts = await _parts(registry)
        assert parts == {"settings": ILL, "both": WELL, "disk": WELL, "tokens": skipped("see settings")}
    registry.defer(lambda later: later.add("web", _well, view=View.LIVE | View.MACHINE))
    with pytest.raises(ValueError, match="web cannot be live"):
        await registry.machine(20)


async def test_what_is_behind_a_part_of_the_machine_is_live_all_the_same() -> None:
    """A front has no part "settings" that could be ill; doctor has, whenever it registers."""
    registry = Registry()
    registry.behind("settings").add("index", _well, view=View.LIVE | View.MACHINE)
    registry.defer(lambda machine: machine.add("settings", _ill))
    assert (await registry.live()).parts == {"index": WELL}
    assert await _parts(registry) == {"index": skipped("see settings"), "settings": ILL}


async def test_what_blocks_for_ever_costs_its_own_line() -> None:
    """A thread that never comes back and a call that never ends are told; the others are not kept waiting."""
    never = threading.Event()

    def blocks(seconds: float) -> Finding:
        never.wait()
        return WELL

    registry = Registry()
    registry.add_blocking("blocks", blocks)
    registry.add("endless", _endless)
    registry.add_blocking("well", lambda _: WELL)
    parts = await _parts(registry, 0.5)
    never.set()
    silent = [each for each in parts.values() if each.state == "silent"]
    assert len(silent) == 2
    assert all("no answer within 0.5 s" in finding.cause for finding in silent)
    assert parts["well"] == WELL


async def test_a_check_may_have_its_own_time() -> None:
    """As verifying a store whole does."""
    registry = Registry()
    registry.add("endless", _endless, seconds=0.1)
    parts = await _parts(registry, 5)
    assert parts["endless"].cause == "no answer within 0.1 s"


async def test_who_gives_up_leaves_no_check_behind() -> None:
    """A client that cancels its call ends every check that still waits."""
    ended = []

    async def waits(inquiry: Inquiry) -> Finding:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(inquiry)
        return WELL

    registry = Registry()
    registry.add("one", waits)
    registry.add("other", waits)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(registry.machine(3_600), 0.1)
    assert len(ended) == 2


@pytest.mark.parametrize(
    ("error", "state", "words"),
    [
        (StoreError("it is damaged; fix it"), "failed", "it is damaged; fix it"),
        (PermissionError(13, "Permission denied", "/x"), "unreadable", "/x"),
        (KeyError("k"), "broken", "KeyError: 'k'"),
    ],
)
async def test_a_check_that_fails_is_a_finding(error: Exception, state: str, words: str) -> None:
    """Expected or not, and the others are told all the same."""
    registry = Registry()
    registry.add("fails", _fails(error))
    registry.add("well", _well)
    parts = await _parts(registry)
    found = parts["fails"]
    assert (found.condition, found.state, words in found.cause) == (Condition.FAILED, state, True)
    assert parts["well"] == WELL


def from_settings(settings: Settings, *, creates: bool) -> Store:
    """Make a store of ours that is not a file."""
    return FakeStore()


async def test_doctor_looks_at_no_file_where_another_store_of_ours_is_chosen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A damaged SQLite file is not its fault, whatever stands in that place."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setitem(STORES, "other", f"{__name__}:from_settings")
    file = tmp_path / "memory.db"
    file.write_bytes(b"no database" * 1_000)
    address = f"unix:{tmp_path}/no.sock"
    settings = load(storage_backend="other", sqlite_path=file, embedder_address=address)
    parts = (await examine_machine(settings, DoctorOptions(venv=tmp_path / "none"), 20)).parts
    of_file = {name: parts[name] for name in ("disk", "store", "fronts")}
    assert of_file == dict.fromkeys(
        of_file, skipped("the store 'other' is not a SQLite file; `memory-mcp status` shows what it reports")
    )
    needing = ("verify", "lock", "queue", "backups")
    assert {name: parts[name] for name in needing} == dict.fromkeys(needing, skipped("see store"))
    assert str(file) not in str(parts)


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("python /home/me/.venv/bin/memory-mcp serve", True),
        ("python /x/memory-mcp --debug serve --http 127.0.0.1:1", True),
        ("python -m memory_mcp serve", True),
        ("python /x/memory-mcp doctor", False),
        ("python /x/embedder-daemon serve", False),
        ("vi memory_mcp serve", False),
        ("", False),
    ],
)
def test_a_front_is_known_by_its_command(command: str, expected: bool) -> None:  # noqa: FBT001 - a table's column
    """The program's name, and `serve` after it."""
    assert is_front(command.split()) is expected


class Unread(FakeStore):
    """Opens, but no count of it can be made."""

    async def totals(self) -> Totals:
        """Fail as a database whose tables cannot be read."""
        raise StoreError("no table can be read; mend it")


async def test_a_store_that_opens_and_cannot_be_counted_has_failed() -> None:
    """Whoever asks for the status is told, though the check of the store itself found nothing."""
    services = make_services(defaults(), Unread(), FakeEmbedder())
    report = (await services.status.overview()).report
    assert report.status is Condition.FAILED
    assert (report.parts["store"].cause, report.parts["store"].fix) == ("no table can be read", "mend it")
