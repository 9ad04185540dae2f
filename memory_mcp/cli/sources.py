"""`memory-mcp sources`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, TypeVar

import click

from memory_mcp import settings
from memory_mcp.app import opened_sources
from memory_mcp.cli import DEGRADED
from memory_mcp.cli.output import clean, note, print_rows, when
from memory_mcp.cli.session import as_json_option
from memory_mcp.cli.streams import print_data
from memory_mcp.domain.errors import NotFoundError, SettingsError
from memory_mcp.domain.sources import MAX_ITEMS, SourceItem, SourceQuery
from memory_mcp.sources.guarded import GuardedSource
from memory_mcp.sources.registry import ConfiguredSources

T = TypeVar("T")
_SHOWN: Final = 200
"""Characters of an item's text on the screen; --json prints it whole."""


@click.group()
def sources() -> None:
    """Show and test the sources of context in config.toml."""


@sources.command("list")
@as_json_option
def list_(*, as_json: bool) -> int:
    """List the configured sources; none is asked."""

    async def work(configured: ConfiguredSources) -> int:
        right, broken = configured.examined()
        rows = [_described(each) for each in right]
        if as_json:
            wrong = [{"name": each.name, "problem": each.problem} for each in broken]
            print_data({"sources": rows, "broken": wrong})
        else:
            columns = ("name", "kind", "target", "scope", "namespaces")
            print_rows(columns, [tuple(str(row[column]) for column in columns) for row in map(_joined, rows)])
            for each in broken:
                note(f"memory-mcp: {each.problem}")
            if not rows and not broken:
                note("there is no source; [sources.NAME] in config.toml adds one")
        return DEGRADED if broken else 0

    return _with_sources(work)


@sources.command("test")
@click.argument("name")
@click.argument("query", nargs=-1)
@click.option(
    "--limit", type=click.IntRange(1, MAX_ITEMS), default=5, show_default=True, help="The most items to print."
)
@as_json_option
def test(*, name: str, query: tuple[str, ...], limit: int, as_json: bool) -> int:
    """Ask the source NAME and print what it answers; without QUERY, its newest items."""

    async def work(configured: ConfiguredSources) -> int:
        source = _named(configured, name)
        begun = time.perf_counter()
        answer = await source.ask(SourceQuery(" ".join(query), limit))
        took_ms = round(1_000 * (time.perf_counter() - begun))
        remark = source.adapter.note
        if as_json:
            told = {"name": name, "took_ms": took_ms, "left_out": answer.left_out, "note": remark}
            print_data(told | {"items": [_as_json(item) for item in answer.items]})
        else:
            print_rows(("title", "text", "uri", "date"), [_row(item) for item in answer.items])
            count = len(answer.items)
            note(f"{count} item{'' if count == 1 else 's'} from {source.adapter.target} in {took_ms} ms")
            if remark:
                note(f"memory-mcp: {remark}")
        return DEGRADED if remark else 0

    return _with_sources(work)


def _with_sources(work: Callable[[ConfiguredSources], Awaitable[T]]) -> T:
    async def run() -> T:
        async with opened_sources(settings.load()) as configured:
            return await work(configured)

    return asyncio.run(run())


def _named(configured: ConfiguredSources, name: str) -> GuardedSource:
    """Return a source.

    Raises:
        SettingsError: its section is broken.
        NotFoundError: there is none of this name.
    """
    right, wrong = configured.examined()
    for broken in wrong:
        if broken.name == name:
            raise SettingsError(broken.problem)
    for source in right:
        if source.name == name:
            return source
    known = ", ".join(source.name for source in right)
    fix = f"choose one of: {known}" if known else f"add [sources.{name}] to config.toml"
    raise NotFoundError(f"there is no source {name!r}; {fix}")


def _described(source: GuardedSource) -> Mapping[str, object]:
    section = source.section
    return {
        "name": source.name,
        "kind": source.kind,
        "target": source.adapter.target,
        "scope": section.scope.value,
        "namespaces": list(section.namespaces),
    }


def _joined(row: Mapping[str, object]) -> Mapping[str, object]:
    named = row["namespaces"]
    return {**row, "namespaces": ",".join(named) if isinstance(named, list) else ""}


def _row(item: SourceItem) -> tuple[str, ...]:
    text = item.text if len(item.text) <= _SHOWN else f"{item.text[:_SHOWN]}…"
    return clean(item.title), clean(text), clean(item.uri), when(item.at) if item.at else ""


def _as_json(item: SourceItem) -> Mapping[str, object]:
    at = item.at.isoformat() if item.at else None
    return {"text": item.text, "title": item.title, "uri": item.uri, "at": at, "score": item.score}
