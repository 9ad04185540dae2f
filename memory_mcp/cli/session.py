"""What the commands that work on the store share."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, TypeVar

import click

from memory_mcp import logs, settings
from memory_mcp.app import opened
from memory_mcp.services.bundle import Services

T = TypeVar("T")

as_json_option: Final = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def with_services(work: Callable[[Services], Awaitable[T]]) -> T:
    """Do the work on the store that the settings name, and close it.

    Raises:
        MemoryMcpError: what the work raises.
    """
    loaded = settings.load()
    logs.configure(loaded)

    async def run() -> T:
        async with opened(loaded) as services:
            return await work(services)

    return asyncio.run(run())


def say(sentence: str, data: Mapping[str, object], *, as_json: bool) -> None:
    """Print one of both."""
    click.echo(json.dumps(data, ensure_ascii=False) if as_json else sentence)
