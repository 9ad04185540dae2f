"""`make run`: stores memories through a real MCP session and recalls them by meaning.

Each question shares no content word with the memory that it must find, so only its meaning can match.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from dataclasses import dataclass
from typing import Any, Final

import click
from mcp import Client, StdioServerParameters

from memory_mcp import settings
from scripts import local_daemon
from scripts.local_daemon import ROOT

FRONT: Final = ROOT / ".venv" / "bin" / "memory-mcp"
DATABASE: Final = local_daemon.RUN / "demo.db"
EMBED_SECONDS: Final = 30.0
CALL_SECONDS: Final = 60.0


@dataclass(frozen=True)
class Pair:
    """A memory, and a question about it in other words."""

    memory: str
    question: str


PAIRS: Final = (
    Pair("My sister is allergic to peanuts and carries an adrenaline pen.", "Which food is dangerous for a relative?"),
    Pair(
        "The production database is backed up every night at two o'clock.",
        "When do we take safety copies of live data?",
    ),
    Pair("Anna adopted a stray kitten from the shelter last week.", "Who recently got a new pet?"),
    Pair("Our flight to Lisbon leaves on the third of June.", "What date does the holiday trip to Portugal begin?"),
    Pair("Dark mode is easier on my eyes when I program late.", "What colour scheme should the editor have?"),
    Pair("The car makes a grinding noise whenever I brake.", "What is wrong with my vehicle?"),
    Pair("Grandfather worked forty years in a coal mine.", "What was the profession of an old family member?"),
)

STOPWORDS: Final = (
    " a an and are at by do does for from got has have how i in is it my of on or our should the to was we were"
    " what when whenever where which who with "
)


def content_words(text: str) -> set[str]:
    """Return the words that carry meaning, cut to the stem's first letters so that inflections count as the same."""
    return {word[:5] for word in re.findall(r"[a-z']+", text.lower()) if f" {word} " not in STOPWORDS}


class DemoError(click.ClickException):
    """The demonstration did not find the expected memory."""


@click.command()
def main() -> None:
    """Start the daemon if none is running, store, recall, and print the configuration for a client."""
    for pair in PAIRS:
        shared = content_words(pair.memory) & content_words(pair.question)
        if shared:
            raise DemoError(f"{pair.question!r} shares {shared} with its memory, so it would prove nothing")
    address = settings.load().embedder_address
    local_daemon.ensure(address)
    try:
        asyncio.run(_session(address))
    except ExceptionGroup as group:  # the client's task groups wrap whatever is raised within the session
        raise _first(group) from group
    click.echo("\nPaste this into your client's configuration:\n")
    click.echo(json.dumps({"mcpServers": {"memory": {"command": str(FRONT), "args": ["serve"]}}}, indent=2))
    click.echo("\n`make stop` ends the daemon that this started.")


def _first(group: ExceptionGroup[Exception]) -> DemoError:
    """Return the failure itself."""
    error: Exception = group
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error if isinstance(error, DemoError) else DemoError(f"the MCP session failed: {error}")


async def _session(address: str) -> None:
    environment = {
        "MCP_MEMORY_SQLITE_PATH": str(DATABASE),
        "MCP_MEMORY_NAMESPACE": "demo",
        "MCP_MEMORY_EMBEDDER_ADDRESS": address,
        "MCP_MEMORY_LOG_LEVEL": "warning",
    }
    server = StdioServerParameters(command=str(FRONT), args=["serve"], env=environment)
    async with Client(server, read_timeout_seconds=CALL_SECONDS) as client:
        info = client.server_info
        click.echo(f"\nconnected to {info.name if info else FRONT} over stdio, protocol {client.protocol_version}")
        await _store(client)
        await _recall(client)
        health = await _call(client, "memory_health")
    click.echo("\nmemory_health:")
    click.echo(json.dumps(health, indent=2))


async def _store(client: Client) -> None:
    click.echo("\nstoring")
    for pair in PAIRS:
        stored = await _call(client, "memory_store", content=pair.memory, tags=["demo"])
        click.echo(f"  {'new  ' if stored['created'] else 'known'} {pair.memory}")
        if not stored["embedded"]:
            await _until_embedded(client, stored["id"])


async def _until_embedded(client: Client, memory: str) -> None:
    """Wait for a vector that was queued because the daemon took too long."""
    give_up = time.monotonic() + EMBED_SECONDS
    while not (await _call(client, "memory_get", id=memory))["embedded"]:
        if time.monotonic() > give_up:
            raise DemoError(
                f"the memory {memory} has no vector after {EMBED_SECONDS:.0f} s; see {local_daemon.LOG_FILE}"
            )
        await asyncio.sleep(0.2)


async def _recall(client: Client) -> None:
    click.echo("\nrecalling by meaning")
    for pair in PAIRS:
        began = time.perf_counter()
        found = await _call(client, "memory_search", query=pair.question, limit=2)
        took = (time.perf_counter() - began) * 1000
        click.echo(f"  {pair.question}  ({found['mode']}, {took:.0f} ms)")
        for hit in found["results"]:
            click.echo(f"    {hit['score']:.3f}  {hit['content']}")
        if found["degraded"]:
            raise DemoError(f"the search is degraded: {found['degraded']}")
        if not found["results"] or found["results"][0]["content"] != pair.memory:
            raise DemoError(f"{pair.question!r} should have found {pair.memory!r} first")


async def _call(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:  # noqa: ANN401 – JSON
    result = await client.call_tool(tool, arguments)
    if result.is_error or result.structured_content is None:
        raise DemoError(f"{tool} failed: {' '.join(getattr(part, 'text', '') for part in result.content)}")
    return dict(result.structured_content)


if __name__ == "__main__":
    main()
