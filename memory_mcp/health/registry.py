"""All checks of the program: `memory_health`, `memory-mcp status` and `memory-mcp doctor` are views of it.

Each part registers its own, in its own module; what registers nothing is not shown. There is one registry in a process,
made in `app.py`. What only doctor looks at registers when it is first asked, so that a front imports nothing of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from memory_mcp.domain.checks import Check, Inquiry, Look, LookAtSeveral, View, skipped
from memory_mcp.domain.models import Condition, Finding
from memory_mcp.health.checkup import blocking, examine

LIVE_S: Final = 15.0
"""Longer than a store waits for a lock (10 s) and then the embedder for an answer: each knows better what is wrong."""
WORST_FIRST: Final = (Condition.FAILED, Condition.DEGRADED)


@dataclass(frozen=True, slots=True)
class Report:
    """The worst condition of all parts, and each part's finding."""

    status: Condition
    """Never SKIPPED: what was not judged is not wrong."""
    parts: Mapping[str, Finding]


class Registry:
    """The checks, in the order of the screen."""

    def __init__(self) -> None:
        self._checks: list[Check] = []
        self._deferred: list[Callable[[], None]] = []
        self._behind: tuple[str, ...] = ()
        self._views = View.LIVE | View.MACHINE
        """Where what it adds may be shown."""

    def behind(self, name: str) -> Registry:
        """Return a registry that adds to this one; all that it adds is left out unless that part is well.

        A view that does not show the part shows what was added all the same.
        """
        return self._adding(behind=(*self._behind, name), views=self._views)

    def defer(self, register: Callable[[Registry], None]) -> None:
        """Let parts of the machine alone register when the machine is first asked after; their imports wait as well."""
        machine = self._adding(behind=self._behind, views=View.MACHINE)
        self._deferred.append(lambda: register(machine))

    def _adding(self, *, behind: tuple[str, ...], views: View) -> Registry:
        registry = Registry()
        registry._checks, registry._deferred = self._checks, self._deferred
        registry._behind, registry._views = behind, views
        return registry

    def add(
        self,
        name: str,
        look: Look,
        *,
        view: View = View.MACHINE,
        needs: tuple[str, ...] = (),
        seconds: float | None = None,
    ) -> None:
        """Register a check of one part.

        Args:
            name: the part's, once in each view.
            look: says how it is, without waiting for longer than the inquiry says.
            view: where it is shown.
            needs: parts that were registered before, and must be well for this check to say anything new.
            seconds: its own time, in place of what all have.
        """

        async def look_at_one(inquiry: Inquiry) -> Mapping[str, Finding]:
            return {name: await look(inquiry)}

        self._add(Check((name,), look_at_one, view, (*self._behind, *needs), seconds))

    def add_blocking(
        self,
        name: str,
        look: Callable[[float], Finding],
        *,
        needs: tuple[str, ...] = (),
        seconds: float | None = None,
        skip: str = "",
    ) -> None:
        """Register a check of the machine that may block for ever: it is made in a thread, and told its seconds.

        `skip` says why there is nothing to judge, where that is known already.
        """
        self.add(name, blocking(lambda _: skipped(skip)) if skip else blocking(look), needs=needs, seconds=seconds)

    def add_several(self, names: tuple[str, ...], look: LookAtSeveral, *, view: View) -> None:
        """Register a check that tells of several parts by one question."""
        self._add(Check(names, look, view, self._behind))

    def _add(self, check: Check) -> None:
        if check.view & ~self._views:
            raise ValueError(f"{', '.join(check.names)} cannot be live: its registration is deferred in app.py")
        known = {name for other in self._checks if other.view & check.view for name in other.names}
        if twice := known.intersection(check.names):
            raise ValueError(f"a check of {', '.join(sorted(twice))} is registered already")
        if unknown := set(check.needs) - set(self._behind) - known:
            raise ValueError(f"register {', '.join(sorted(unknown))} before {', '.join(check.names)}, which needs it")
        self._checks.append(check)

    async def live(self, namespace: str | None = None) -> Report:
        """Ask what runs, about one namespace or all of them; what fails or hangs is a finding, never an exception."""
        return await self._report(View.LIVE, Inquiry(LIVE_S, namespace))

    async def machine(self, seconds: float) -> Report:
        """Look at this machine, each check within these seconds; what fails or hangs is a finding likewise."""
        while self._deferred:
            self._deferred.pop(0)()
        return await self._report(View.MACHINE, Inquiry(seconds))

    async def _report(self, view: View, inquiry: Inquiry) -> Report:
        parts = await examine([check for check in self._checks if check.view & view], inquiry)
        return Report(worst(finding.condition for finding in parts.values()), parts)


def worst(conditions: Iterable[Condition]) -> Condition:
    """Return the worst of them; OK where nothing is wrong."""
    found = set(conditions)
    return next((condition for condition in WORST_FIRST if condition in found), Condition.OK)
