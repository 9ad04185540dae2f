"""`memory-mcp status`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict

import click

from memory_mcp import settings
from memory_mcp.app import opened
from memory_mcp.application.stack import make_local_dispatcher
from memory_mcp.cli.output import on_terminal, print_rows
from memory_mcp.cli.session import CODES, admin_request, as_json_option
from memory_mcp.cli.streams import print_data
from memory_mcp.context.project import caller
from memory_mcp.domain.models import Condition
from memory_mcp.health.overview import Overview

Show = Callable[[Overview], None]


@click.command()
@click.option("--watch", is_flag=True, help="Refresh until Ctrl-C, and show what was added since the last refresh.")
@click.option(
    "--every",
    type=click.FloatRange(0.1, 3600),
    default=1.0,
    show_default=True,
    metavar="SECONDS",
    help="How often --watch refreshes.",
)
@as_json_option
def status(*, watch: bool, every: float, as_json: bool) -> int:
    """Show the store, the daemon and its counters, and what is wrong.

    With --watch --json each refresh prints one line. The exit code is that of the last refresh.
    """
    loaded = settings.load()
    condition = Condition.OK

    async def look(show: Show) -> None:
        nonlocal condition
        async with opened(loaded, creates=False) as services:
            dispatcher = make_local_dispatcher(services)
            request = admin_request(caller(loaded.namespace), "status", services.status.overview)
            while True:
                overview = await dispatcher.run(request)
                condition = overview.report.status
                show(overview)
                if not watch:
                    return
                await asyncio.sleep(every)

    try:
        with nullcontext(_print_json) if as_json else _shown(watch=watch) as show:
            asyncio.run(look(show))
    except KeyboardInterrupt:
        if not watch:
            raise
    return CODES[condition]


def _print_json(overview: Overview) -> None:
    print_data(_data(overview))


def _data(overview: Overview) -> dict[str, object]:
    report, figures, served = overview.report, overview.figures, overview.served
    return {
        "status": report.status,
        "parts": {name: asdict(finding) for name, finding in report.parts.items()},
        "store": figures.totals and asdict(figures.totals),
        "queue": figures.queue and asdict(figures.queue),
        "daemon": served and asdict(served),
    }


def _shown(*, watch: bool) -> AbstractContextManager[Show]:
    """Return a function that prints an overview; with --watch on a terminal it replaces the previous one."""
    from rich.console import Console  # noqa: PLC0415 - needed only for this output

    from memory_mcp.cli.status_view import Watched, lines, screen  # noqa: PLC0415 - likewise

    if not on_terminal():
        return nullcontext(lambda overview: print_rows((), lines(overview)))
    return Watched() if watch else nullcontext(lambda overview: Console().print(screen(overview, {})))
