"""`memory-mcp export` and `memory-mcp import`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import TextIO

import click

from memory_mcp.cli import DEGRADED, FAILED
from memory_mcp.cli.lines import HEADER, check_header, dump, load
from memory_mcp.cli.session import as_json_option, say, with_services
from memory_mcp.domain.errors import ConflictError
from memory_mcp.domain.models import Record, Stored
from memory_mcp.services.bundle import Services
from memory_mcp.services.transfer import BATCH


@click.command()
@click.argument("target", type=click.File("w", encoding="utf-8", atomic=True), default="-")
def export(*, target: TextIO) -> None:
    """Write all memories to TARGET (or stdout) as JSON Lines, with their history, without vectors."""

    async def work(services: Services) -> int:
        target.write(json.dumps(HEADER) + "\n")
        count = 0
        async for record in services.transfer.export():
            target.write(dump(record) + "\n")
            count += 1
        return count

    count = with_services(work)
    click.echo(f"{count} memories are exported", err=True)


@dataclass(slots=True)
class _Tally:
    """What became of the lines."""

    created: int = 0
    known: int = 0
    pending: int = 0
    conflicts: list[str] = field(default_factory=list)

    def add(self, outcome: Stored | ConflictError) -> None:
        if isinstance(outcome, ConflictError):
            self.conflicts.append(str(outcome))
            return
        self.created += outcome.created
        self.known += not outcome.created
        self.pending += outcome.created and not outcome.embedded


@click.command("import")
@click.argument("source", type=click.File("r", encoding="utf-8"))
@as_json_option
def import_(*, source: TextIO, as_json: bool) -> int:
    """Read memories from SOURCE (- is stdin); what is there already is left as it is, so it may be run again."""
    tally = _Tally()

    async def work(services: Services) -> None:
        records = _records(source)
        while batch := list(islice(records, BATCH)):
            for outcome in await services.transfer.absorb(batch):
                tally.add(outcome)

    with_services(work)
    for conflict in tally.conflicts:
        click.echo(f"memory-mcp: {conflict}; it was left out", err=True)
    waiting = f" ({tally.pending} wait for their vectors)" if tally.pending else ""
    data = {"created": tally.created, "known": tally.known, "pending": tally.pending, "conflicts": len(tally.conflicts)}
    sentence = f"{tally.created} memories are imported{waiting}, {tally.known} were there already"
    say(f"{sentence}, {len(tally.conflicts)} conflict" if tally.conflicts else sentence, data, as_json=as_json)
    return FAILED if tally.conflicts else DEGRADED if tally.pending else 0


def _records(source: TextIO) -> Iterator[Record]:
    check_header(next(source, ""))
    for number, line in enumerate(source, 2):
        if line.strip():
            yield load(number, line)
