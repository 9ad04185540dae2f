"""All checks of the program: `memory_health`, `memory-mcp status` and `memory-mcp doctor` are views of it.

Each part registers its own checks in its own module. There is one registry in a process, made in `app.py`. The checks
that only doctor runs are registered when doctor first asks, so that a front imports nothing for them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from memory_mcp.domain.checks import Check, Inquiry, Look, LookAtSeveral, View, skipped
from memory_mcp.domain.models import Condition, Finding
from memory_mcp.domain.principal import Principal
from memory_mcp.health.checkup import OnFinding, blocking, examine

LIVE_S: Final = 15.0
"""Longer than the store's wait for a lock (10 s) plus the embedder's for an answer, whose errors say more."""
WORST_FIRST: Final = (Condition.FAILED, Condition.DEGRADED)


@dataclass(frozen=True, slots=True)
class Report:
    """The worst condition of any part, and each part's finding."""

    status: Condition
    """Never SKIPPED: a skipped check counts as OK."""
    parts: Mapping[str, Finding]


class Registry:
    """The checks, in display order."""

    def __init__(self) -> None:
        self._checks: list[Check] = []
        self._deferred: list[Callable[[], None]] = []
        self._behind: tuple[str, ...] = ()
        self._views = View.LIVE | View.MACHINE
        """Where what it adds may be shown."""

    def behind(self, name: str) -> Registry:
        """Return a registry that adds to this one; its checks are skipped unless the named part is OK.

        A view that does not show that part shows the checks all the same.
        """
        return self._adding(behind=(*self._behind, name), views=self._views)

    def defer(self, register: Callable[[Registry], None]) -> None:
        """Register checks of the machine when doctor first asks; their imports wait until then as well."""
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
            name: the part's name, unique in each view.
            look: returns the finding, within the inquiry's seconds.
            view: where it is shown.
            needs: parts, registered before, that must be OK; otherwise this check would only repeat their trouble.
            seconds: its own timeout, instead of the inquiry's.
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
        """Register a check of the machine that may block for ever: it runs in a thread and gets its seconds.

        `skip` is the reason to skip it, if that is already known.
        """
        self.add(name, blocking(lambda _: skipped(skip)) if skip else blocking(look), needs=needs, seconds=seconds)

    def add_several(self, names: tuple[str, ...], look: LookAtSeveral, *, view: View) -> None:
        """Register a check that reports on several parts at once."""
        self._add(Check(names, look, view, self._behind))

    def _add(self, check: Check) -> None:
        if check.view & ~self._views:
            raise ValueError(f"{', '.join(check.names)} cannot be live: its registration is deferred in app.py")
        known = {name for other in self._checks if other.view & check.view for name in other.names}
        if twice := known.intersection(check.names):
            raise ValueError(f"a check of {', '.join(sorted(twice))} is already registered")
        if unknown := set(check.needs) - set(self._behind) - known:
            raise ValueError(f"register {', '.join(sorted(unknown))} before {', '.join(check.names)}, which needs it")
        self._checks.append(check)

    async def live(self, namespace: str | None = None, principal: Principal | None = None) -> Report:
        """Run the live checks for one namespace or all; a failing or hanging check is a finding, never an exception."""
        return await self._report(View.LIVE, Inquiry(LIVE_S, namespace, principal))

    def machine_parts(self) -> list[str]:
        """Return the names of what `machine` looks at, in display order."""
        while self._deferred:
            self._deferred.pop(0)()
        return [name for check in self._checks if check.view & View.MACHINE for name in check.names]

    async def machine(self, seconds: float, told: OnFinding = lambda _name, _finding: None) -> Report:
        """Run the machine checks, each within these seconds; a failing or hanging check is a finding.

        `told` gets each finding as soon as it is there.
        """
        self.machine_parts()  # registers what was deferred
        return await self._report(View.MACHINE, Inquiry(seconds), told)

    async def _report(self, view: View, inquiry: Inquiry, told: OnFinding = lambda _name, _finding: None) -> Report:
        parts = await examine([check for check in self._checks if check.view & view], inquiry, told)
        return Report(worst(finding.condition for finding in parts.values()), parts)


def worst(conditions: Iterable[Condition]) -> Condition:
    """Return the worst condition; OK if there is none."""
    present = set(conditions)
    return next((condition for condition in WORST_FIRST if condition in present), Condition.OK)
