"""`memory-mcp status`."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import click

from memory_mcp import logs, settings
from memory_mcp.app import opened
from memory_mcp.cli import DEGRADED, FAILED
from memory_mcp.cli.session import as_json_option
from memory_mcp.domain.models import Condition, Served
from memory_mcp.services.health import Report
from memory_mcp.services.status import Figures, Overview

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table

CODES: Final = {Condition.OK: 0, Condition.DEGRADED: DEGRADED, Condition.FAILED: FAILED}
LANES: Final = ("interactive", "bulk")

Show = Callable[[Overview], None]


@click.command()
@click.option("--watch", is_flag=True, help="Go on showing it until Ctrl-C, with what was added since the last look.")
@click.option(
    "--every",
    type=click.FloatRange(0.1, 3600),
    default=1.0,
    show_default=True,
    metavar="SECONDS",
    help="How often --watch looks.",
)
@as_json_option
def status(*, watch: bool, every: float, as_json: bool) -> int:
    """Show the store, the daemon, what it has done since it started, and what is wrong.

    With --watch --json each look is a line. The exit code is that of the last look.
    """
    loaded = settings.load()
    logs.configure(loaded)
    last = [Condition.OK]

    async def look(show: Show) -> None:
        async with opened(loaded) as services:
            while True:
                overview = await services.status.overview()
                last.append(overview.report.status)
                show(overview)
                if not watch:
                    return
                await asyncio.sleep(every)

    try:
        with contextlib.nullcontext(_print_json) if as_json else _tables(watch=watch) as show:
            asyncio.run(look(show))
    except KeyboardInterrupt:
        if not watch:
            raise
    return CODES[last[-1]]


def _print_json(overview: Overview) -> None:
    click.echo(json.dumps(_data(overview), ensure_ascii=False))


def _data(overview: Overview) -> dict[str, object]:
    report, figures, served = overview.report, overview.figures, overview.served
    return {
        "status": report.status,
        "parts": {name: asdict(finding) for name, finding in report.parts.items()},
        "store": figures.totals and asdict(figures.totals),
        "queue": figures.queue and asdict(figures.queue),
        "daemon": served and asdict(served),
    }


@contextlib.contextmanager
def _tables(*, watch: bool) -> Iterator[Show]:
    """Return what prints an overview, or shows it in the place of the one before."""
    from rich.console import Console  # noqa: PLC0415 - for this output alone
    from rich.live import Live  # noqa: PLC0415 - likewise

    if not watch:
        yield lambda overview: Console().print(_screen(overview, {}))
        return
    before: dict[str, float] = {}
    with Live(console=Console(), auto_refresh=False, screen=False) as live:

        def show(overview: Overview) -> None:
            live.update(_screen(overview, before), refresh=True)
            before.update(overview.served.counters if overview.served else {})

        yield show


def _screen(overview: Overview, before: Mapping[str, float]) -> Group:
    from rich.console import Group  # noqa: PLC0415 - imported already by whoever shows it

    parts = [_summary(overview)]
    if overview.served is not None:
        counters = {name: _count(name, value, before) for name, value in overview.served.counters.items()}
        parts += [_lanes(counters), _others(counters)]
    return Group(*parts)


def _summary(overview: Overview) -> Table:
    from rich.table import Table  # noqa: PLC0415 - imported already by whoever shows it
    from rich.text import Text  # noqa: PLC0415 - likewise

    table = Table.grid(padding=(0, 2))
    for name, line in (
        ("status", str(overview.report.status)),
        ("store", _store(overview.figures)),
        ("daemon", _daemon(overview.served)),
        *_troubles(overview.report),
    ):
        table.add_row(Text(name, "bold"), Text(line))
    return table


def _store(figures: Figures) -> str:
    if figures.totals is None or figures.queue is None:
        return "cannot be read"
    totals, queue = figures.totals, figures.queue
    return (
        f"{totals.memories:,} memories in {totals.namespaces:,} namespaces, {totals.bytes / 1e6:,.1f} MB; "
        f"{queue.pending:,} pending, {queue.failed:,} failed"
    )


def _daemon(served: Served | None) -> str:
    if served is None:
        return "does not answer"
    what = f"{served.model} on {served.engine} {served.precision} ({served.device})" if served.model else "no model yet"
    up = timedelta(seconds=round(served.uptime_s))
    return f"{served.state} for {up}; {what}; space {served.space_id or 'unknown'}; version {served.version}"


def _troubles(report: Report) -> list[tuple[str, str]]:
    return [
        (f"! {name}", f"{finding.state}: {finding.cause}. Mend: {finding.mend}")
        for name, finding in report.parts.items()
        if finding.cause
    ]


def _count(name: str, value: float, before: Mapping[str, float]) -> str:
    """Write a counter, and what was added to it."""
    if isinstance(value, float):
        return f"{value:,.2f}"
    added = value - before.get(name, value)
    return f"{value:,} (+{added:,})" if added > 0 else f"{value:,}"


def _lanes(counters: Mapping[str, str]) -> Table:
    from rich.table import Table  # noqa: PLC0415 - imported already by whoever shows it

    table = Table("lane", *LANES)
    kinds = [name.removeprefix(f"{LANES[0]}_") for name in counters if name.startswith(LANES[0])]
    for kind in kinds:
        table.add_row(kind.replace("_", " "), *(counters[f"{lane}_{kind}"] for lane in LANES))
    return table


def _others(counters: Mapping[str, str]) -> Table:
    from rich.table import Table  # noqa: PLC0415 - imported already by whoever shows it

    table = Table("since the daemon started", "", "", "")
    names = [name for name in counters if not name.startswith(LANES)]
    for left, right in zip(names[::2], [*names[1::2], ""], strict=False):
        table.add_row(left.replace("_", " "), counters[left], right.replace("_", " "), counters.get(right, ""))
    return table
