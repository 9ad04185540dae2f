"""`python -m benchmarks.teams [--seconds 60]`: several teams on three fronts, of which one is killed every ten seconds.

PostgreSQL with fsync and row-level security, Valkey, and a daemon with the engine `hash`, so that fronts and stores are
what is measured. 200 sessions, half of each protocol version, call 40 times a second together, whether answers come or
not (open loop). A client whose front is gone asks another, as a balancer would. It says what was lost, whether anybody
saw another team's memory, and how long calls took: idle, and under load outside the two seconds after a kill.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.fleet import NEW, OLD, FailedCallError, Fleet, Team, TeamSession, prepared, running, teams
from benchmarks.kit import FRONT, daemon, percentile, say
from benchmarks.scale import turns
from tests.services.postgres import serving
from tests.services.valkey import Valkey

MIX = {"memory_search": 10, "memory_store": 5, "memory_get": 3, "memory_list": 2}
"""Calls of each twenty."""
AFTER_KILL_S = 2.0
IDLE_CALLS = 200


@dataclass(frozen=True, slots=True)
class Plan:
    """What is done."""

    seconds: float = 60
    sessions: int = 200
    rate: float = 40
    fronts: int = 3
    teams: int = 8
    kill_every_s: float = 10
    known: int = 100
    """Memories of each team at the beginning."""


@dataclass
class Outcome:
    """What happened."""

    idle: list[float] = field(default_factory=list)
    """Seconds of each call, one after another."""
    took: list[tuple[float, float]] = field(default_factory=list)
    """When each call under load was due, and the seconds until it was answered."""
    kills: list[float] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    stored: dict[str, tuple[Team, str]] = field(default_factory=dict)
    """The team and the content of each acknowledged memory, by its id."""
    retries: int = 0

    def calm(self) -> list[float]:
        """Return the seconds of the calls that were due outside the two seconds after a kill."""
        return [s for at, s in self.took if not any(kill <= at < kill + AFTER_KILL_S for kill in self.kills)]


class TeamLoad:
    """The teams' sessions, and what they did."""

    def __init__(self, fleet: Fleet, made: Sequence[Team], plan: Plan, said: Sequence[str]) -> None:
        self._fleet = fleet
        self._teams = made
        self._plan = plan
        self._said = said
        self._random = random.Random(7)  # noqa: S311 - the same calls in every run
        self._kinds = [kind for kind, times in MIX.items() for _ in range(times)]
        self._numbers: Counter[str] = Counter()
        self._own: dict[str, list[str]] = {team.name: [] for team in made}
        self.outcome = Outcome()
        self.sessions = [
            (team := made[number % len(made)], TeamSession(fleet, team.token, NEW if number // len(made) % 2 else OLD))
            for number in range(plan.sessions)
        ]

    async def fill(self) -> None:
        """Give each team some memories."""
        for team, session in self.sessions[: len(self._teams)]:
            items = [self._item(team) for _ in range(self._plan.known)]
            await session.call("memory_store_many", items=items)
            self._acknowledge(team, items)

    async def idle(self, calls: int) -> None:
        """Make one call after another."""
        for number in range(calls):
            begun = time.monotonic()
            await self._call(*self.sessions[number % len(self.sessions)])
            self.outcome.idle.append(time.monotonic() - begun)

    async def load(self) -> None:
        """Call at the plan's rate, whatever the answers do, and kill fronts meanwhile."""
        killing = asyncio.create_task(self._kill())
        begun, calls = time.monotonic(), []
        for number in range(int(self._plan.seconds * self._plan.rate)):
            due = begun + number / self._plan.rate
            await asyncio.sleep(due - time.monotonic())
            calls.append(asyncio.create_task(self._timed(due)))
        await asyncio.gather(*calls)
        killing.cancel()
        self.outcome.retries = self._fleet.retries

    async def read_back(self) -> None:
        """Ask for everything that was acknowledged, as who stored it, and for some of it as somebody else."""
        await self._fleet.until_ready()
        kept = list(self.outcome.stored.items())
        waiting = iter(kept)
        await asyncio.gather(*(self._read_some(waiting) for _ in range(8)))
        for memory_id, (team, _) in self._random.sample(kept, min(50, len(kept))):
            other, session = next(each for each in self.sessions if each[0] is not team)
            try:
                await session.call("memory_get", id=memory_id)
            except FailedCallError:
                continue
            self.outcome.foreign.append(f"{other.name} reads {memory_id} of {team.name}")

    async def _read_some(self, waiting: object) -> None:
        sessions = {team.name: session for team, session in self.sessions}
        for memory_id, (team, content) in waiting:  # type: ignore[attr-defined]  # an iterator that several share
            try:
                found = await sessions[team.name].call("memory_get", id=memory_id)
            except FailedCallError as error:
                self.outcome.lost.append(f"{memory_id}: {error}")
                continue
            if found["content"] != content:
                self.outcome.lost.append(f"{memory_id}: another content")

    async def _kill(self) -> None:
        for number in range(1_000):
            await asyncio.sleep(self._plan.kill_every_s)
            front = self._fleet.fronts[number % len(self._fleet.fronts)]
            self.outcome.kills.append(time.monotonic())
            await asyncio.to_thread(front.kill)
            front.start()

    async def _timed(self, due: float) -> None:
        try:
            await self._call(*self._random.choice(self.sessions))
        except FailedCallError as error:
            self.outcome.failed.append(str(error))
        self.outcome.took.append((due, time.monotonic() - due))

    async def _call(self, team: Team, session: TeamSession) -> None:
        kind = self._random.choice(self._kinds)
        if kind == "memory_store":
            item = self._item(team)
            await session.call(kind, **item)
            self._acknowledge(team, [item])
            return
        arguments: dict[str, dict[str, object]] = {
            "memory_search": {"query": self._random.choice(self._said)},
            "memory_get": {"id": self._random.choice(self._own[team.name])},
            "memory_list": {"limit": 10},
        }
        answer = await session.call(kind, **arguments[kind])
        if foreign := team.foreign(answer):
            self.outcome.foreign.append(f"{team.name} sees {foreign}")

    def _item(self, team: Team) -> dict[str, object]:
        number = self._numbers[team.name]
        self._numbers[team.name] += 1
        said = self._said[number % len(self._said)]
        return {"id": f"{team.name}-{number}", "content": f"{said} {team.marker} {number}"}

    def _acknowledge(self, team: Team, items: Sequence[dict[str, object]]) -> None:
        for item in items:
            self.outcome.stored[str(item["id"])] = team, str(item["content"])
            self._own[team.name].append(str(item["id"]))


async def run(plan: Plan, fleet: Fleet, made: Sequence[Team], said: Sequence[str], idle_calls: int) -> Outcome:
    """Do what the plan says, on fronts that run."""
    watching = asyncio.create_task(fleet.watch())
    try:
        await fleet.until_ready()
        load = TeamLoad(fleet, made, plan, said)
        await load.fill()
        await load.idle(idle_calls)
        await load.load()
        await load.read_back()
        return load.outcome
    finally:
        watching.cancel()
        await fleet.close()


def told(plan: Plan, outcome: Outcome) -> None:
    """Print it."""
    idle, calm = percentile(outcome.idle, 0.5), outcome.calm()
    everything = [seconds for _, seconds in outcome.took]
    say(f"{plan.sessions} sessions of {plan.teams} teams on {plan.fronts} fronts, {len(outcome.kills)} kills")
    say(f"idle: p50 {1e3 * idle:.1f} ms, p99 {1e3 * percentile(outcome.idle, 0.99):.1f} ms")
    say(f"calls: {len(everything)} at {plan.rate:g}/s, {outcome.retries} retries, {len(outcome.failed)} failed")
    for name, took in (("outside kills", calm), ("all", everything)):
        p50, p99 = (1e3 * percentile(took, part) for part in (0.5, 0.99))
        say(f"{name}: p50 {p50:.1f} ms, p99 {p99:.1f} ms ({p99 / idle / 1e3:.1f} x idle p50), most {max(took):.2f} s")
    say(f"acknowledged: {len(outcome.stored)}, lost: {len(outcome.lost)}, seen by others: {len(outcome.foreign)}")
    for trouble in (outcome.failed + outcome.lost + outcome.foreign)[:10]:
        say(f"  {trouble}")


async def main(plan: Plan) -> None:
    """Start everything, and measure."""
    said = [turn.text for turn in turns(2_000)]
    valkey = Valkey()
    valkey.start()
    try:
        with tempfile.TemporaryDirectory(dir="/tmp") as name, serving("shared_buffers = '512MB'") as server:
            folder = Path(name)
            async with daemon(name, "--engine", "hash", program=(FRONT.with_name("embedder-daemon"),)) as served:
                url = prepared(server, folder)
                environment = {
                    "HOME": name,
                    "MCP_MEMORY_STORAGE_BACKEND": "postgres",
                    "MCP_MEMORY_POSTGRES_URL": url,
                    "MCP_MEMORY_REDIS_URL": valkey.url,
                    "MCP_MEMORY_EMBEDDER_ADDRESS": served.address,
                }
                made = teams(url, plan.teams)
                with running(plan.fronts, environment) as fleet:
                    told(plan, await run(plan, fleet, made, said, IDLE_CALLS))
    finally:
        valkey.close()


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seconds", type=float, default=Plan().seconds)
    options.add_argument("--sessions", type=int, default=Plan().sessions)
    options.add_argument("--rate", type=float, default=Plan().rate)
    chosen = options.parse_args()
    asyncio.run(main(Plan(chosen.seconds, chosen.sessions, chosen.rate)))
