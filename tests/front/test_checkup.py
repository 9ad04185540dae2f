"""Checks run at once, each within its time."""

from __future__ import annotations

import asyncio
import threading

import pytest

from memory_mcp.domain.checks import Check, Seen
from memory_mcp.domain.errors import StoreError
from memory_mcp.domain.models import Condition, Finding
from memory_mcp.health.checkup import blocking, examine, status
from memory_mcp.processes import is_front

WELL = Finding(Condition.OK, "well")
ILL = Finding(Condition.DEGRADED, "ill")


async def _well(seconds: float) -> Seen:
    return WELL


async def _ill(seconds: float) -> Seen:
    return ILL


def _fails(error: Exception) -> Check:
    async def look(seconds: float) -> Seen:
        raise error

    return Check("fails", look)


async def test_what_needs_a_part_that_is_ill_is_left_out() -> None:
    """Also at second hand, and behind what there was nothing to say of; the worst of the rest is the status."""

    async def silent(seconds: float) -> Seen:
        return "there is none"

    checks = [
        Check("a", _well),
        Check("b", _ill, ("a",)),
        Check("c", _well, ("b",)),
        Check("d", silent),
        Check("e", _well, ("a", "d")),
    ]
    seen = await examine(checks, 20)
    assert seen == {"a": WELL, "b": ILL, "c": "see b", "d": "there is none", "e": "see d"}
    assert status(seen) is Condition.DEGRADED


async def test_what_blocks_for_ever_costs_its_own_line() -> None:
    """A thread that never comes back and a call that never ends are told; the others are not kept waiting."""
    never = threading.Event()

    async def endless(seconds: float) -> Seen:
        await asyncio.Event().wait()
        return WELL

    def blocks(seconds: float) -> Seen:
        never.wait()
        return WELL

    checks = [
        Check("blocks", blocking(blocks)),
        Check("endless", endless),
        Check("well", blocking(lambda _: WELL)),
    ]
    seen = await examine(checks, 0.5)
    never.set()
    silent = [each for each in seen.values() if isinstance(each, Finding) and each.state == "silent"]
    assert len(silent) == 2
    assert all("no answer within 0.5 s" in finding.cause for finding in silent)
    assert seen["well"] == WELL


async def test_a_check_may_have_its_own_time() -> None:
    """As verifying a store whole does."""

    async def endless(seconds: float) -> Seen:
        await asyncio.Event().wait()
        return WELL

    seen = await examine([Check("endless", endless, seconds=0.1)], 3_600)
    assert isinstance(seen["endless"], Finding)
    assert seen["endless"].cause == "there was no answer within 0.1 s"


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
    seen = await examine([_fails(error), Check("well", _well)], 20)
    found = seen["fails"]
    assert isinstance(found, Finding)
    assert (found.condition, found.state, words in found.cause) == (Condition.FAILED, state, True)
    assert seen["well"] == WELL


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
