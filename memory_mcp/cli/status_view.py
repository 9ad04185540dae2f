"""The view of `memory-mcp status`; imported late, because rich is slow to import."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Final

from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from memory_mcp.cli.output import counted
from memory_mcp.domain.daemon import DaemonStatus
from memory_mcp.health.overview import LocalFigures, Overview
from memory_mcp.health.registry import Report

LANES: Final = ("interactive", "bulk")
SINCE: Final = "since the daemon started"


class Watched:
    """Replaces the previous overview, and shows what was added; a context manager that restores the terminal."""

    def __init__(self) -> None:
        self._live = Live(auto_refresh=False)
        self._before: dict[str, float] = {}

    def __enter__(self) -> Callable[[Overview], None]:
        self._live.start()
        return self._show

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def _show(self, overview: Overview) -> None:
        self._live.update(screen(overview, self._before, with_zeros=True), refresh=True)
        self._before = dict(overview.served.counters) if overview.served else {}


def screen(overview: Overview, before: Mapping[str, float], *, with_zeros: bool = False) -> Group:
    """Return the screen, with the increase of each counter since `before`; what watches keeps the zeros in place."""
    summary = Table.grid(padding=(0, 2))
    for name, line in _summary(overview):
        summary.add_row(Text(name, "bold"), Text(line))
    parts = [summary]
    if overview.served is not None:
        told = overview.served.counters if with_zeros else _moved(overview.served.counters)
        counters = {name: _count(name, value, before) for name, value in told.items()}
        if lanes := _lanes(counters):
            parts.append(_table(("lane", *LANES), lanes))
        if others := _in_pairs(counters):
            parts.append(_table((SINCE, "", "", ""), others))
    return Group(*parts)


def lines(overview: Overview) -> list[tuple[str, ...]]:
    """Return the overview as plain lines, for output that is not a terminal."""
    rows = _summary(overview)
    if overview.served is not None:
        counters = {name: _count(name, value, {}) for name, value in _moved(overview.served.counters).items()}
        lanes = _lanes(counters)
        rows += [("lane", *LANES), *lanes] if lanes else []
        rows += [(name.replace("_", " "), counters[name]) for name in _others(counters)]
    return rows


def _summary(overview: Overview) -> list[tuple[str, ...]]:
    return [
        ("status", str(overview.report.status)),
        ("store", _store(overview.report, overview.figures)),
        ("daemon", _daemon(overview.served)),
        *_troubles(overview.report),
    ]


def _store(report: Report, figures: LocalFigures) -> str:
    if (found := report.parts["store"]).state == "none":
        return found.detail
    if figures.totals is None or figures.queue is None:
        return "cannot be read"
    totals, queue = figures.totals, figures.queue
    return (
        f"{counted(totals.memories, 'memory', 'memories')} in "
        f"{counted(totals.namespaces, 'namespace', 'namespaces')}, {totals.bytes / 1e6:,.1f} MB; "
        f"{queue.pending:,} pending, {queue.failed:,} failed"
    )


def _daemon(served: DaemonStatus | None) -> str:
    if served is None:
        return "does not answer"
    what = f"{served.model} on {served.engine} {served.precision} ({served.device})" if served.model else "no model yet"
    up = timedelta(seconds=round(served.uptime_s))
    return f"{served.state} for {up}; {what}; space {served.space_id or 'unknown'}; version {served.version}"


def _troubles(report: Report) -> list[tuple[str, str]]:
    return [
        (f"! {name}", f"{finding.state}: {finding.cause}. Fix: {finding.fix}")
        for name, finding in report.parts.items()
        if finding.cause
    ]


def _count(name: str, value: float, before: Mapping[str, float]) -> str:
    """Format a counter and its increase."""
    if isinstance(value, float):
        return f"{value:,.2f}"
    added = value - before.get(name, value)
    return f"{value:,} (+{added:,})" if added > 0 else f"{value:,}"


def _moved(counters: Mapping[str, float]) -> dict[str, float]:
    """Leave out what is zero, for a lane where it is zero in each."""

    def kind(name: str) -> str:
        return name.partition("_")[2] if name.startswith(LANES) else name

    told = {kind(name) for name, value in counters.items() if value}
    return {name: value for name, value in counters.items() if kind(name) in told}


def _lanes(counters: Mapping[str, str]) -> list[tuple[str, ...]]:
    kinds = [name.removeprefix(f"{LANES[0]}_") for name in counters if name.startswith(LANES[0])]
    return [(kind.replace("_", " "), *(counters[f"{lane}_{kind}"] for lane in LANES)) for kind in kinds]


def _others(counters: Mapping[str, str]) -> list[str]:
    return [name for name in counters if not name.startswith(LANES)]


def _in_pairs(counters: Mapping[str, str]) -> list[tuple[str, ...]]:
    names = _others(counters)
    pairs = zip(names[::2], [*names[1::2], ""], strict=False)
    return [
        (left.replace("_", " "), counters[left], right.replace("_", " "), counters.get(right, ""))
        for left, right in pairs
    ]


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """Return a table without a frame, so that everything fits 24 lines."""
    table = Table(*heads, box=None, header_style="bold", pad_edge=False)
    for row in rows:
        table.add_row(*row)
    return table
