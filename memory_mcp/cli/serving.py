"""Waits for a daemon and tests it with one text."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import click

from memory_common.reasons import reason
from memory_mcp.app import make_client
from memory_mcp.domain.models import Finding, Lane, Task
from memory_mcp.provision.errors import ProvisionError
from memory_mcp.provision.process import Hear, beside
from memory_mcp.provision.progress import InstallProgress
from memory_mcp.provision.versions import Environment

PATIENCE_S: Final = 180.0
"""The first start reads torch from a cold disk."""
_EVERY_S: Final = 0.1
_REPORT_EVERY_S: Final = 5.0
_EMBED_S: Final = 30.0
_TEXT: Final = "The spare key of the boat house hangs behind the clock."

OPTIONS: Final = {"EMBEDDER_ENGINE": "--engine", "EMBEDDER_MODEL": "--model"}
"""The variables that `daemon install` records, and the daemon's options for them."""


def ask(address: str) -> Finding:
    """Return the state of the daemon at an address."""
    return asyncio.run(_asked(address))


async def _asked(address: str) -> Finding:
    embedder = make_client(address)
    try:
        return (await embedder.findings(None))["daemon"]
    finally:
        await embedder.close()


def until_serving(address: str, ended: Callable[[], str | None] = lambda: None, hear: Hear = click.echo) -> str:
    """Wait until the daemon serves and has embedded a test text; return its description in one phrase.

    Args:
        address: where it listens.
        ended: returns the reason once waiting is pointless, else None.
        hear: gets a progress message now and then.

    Raises:
        ProvisionError: it failed, ended, or does not serve in time.
    """
    began, reported = time.monotonic(), 0.0
    while (finding := ask(address)).state not in {"serving", "asleep"}:
        waited = time.monotonic() - began
        if finding.state == "failed" or (reason := ended()):
            raise ProvisionError(f"the daemon is not serving: {finding.cause if finding.state == 'failed' else reason}")
        if waited > PATIENCE_S:
            raise ProvisionError(f"the daemon is not serving after {waited:.0f} s ({finding.cause}): {finding.fix}")
        if waited >= reported + _REPORT_EVERY_S:
            reported = waited
            hear(f"  {finding.state}, {waited:.0f} s …")
        time.sleep(_EVERY_S)
    asyncio.run(_embed(address))
    return finding.detail


async def _embed(address: str) -> None:
    embedder = make_client(address)
    try:
        got = await embedder.embed(
            [_TEXT], task=Task.DOCUMENT, lane=Lane.INTERACTIVE, budget_s=_EMBED_S, expected_space=None
        )
    finally:
        await embedder.close()
    if error := got.items[0].error:
        raise ProvisionError(f"the daemon serves but could not embed a test text: {error}")


def prove(progress: InstallProgress, environment: Environment, choices: Mapping[str, str], log: Path) -> None:
    """Start a daemon from an environment at a temporary address, and check that it serves.

    Raises:
        ProvisionError: it does not; the message has the daemon's reason and names the log.
    """
    with (
        progress.step("starting the daemon to see that it serves") as hear,
        tempfile.TemporaryDirectory(prefix="memory-mcp-", dir="/tmp") as folder,
        log.open("ab") as out,
    ):
        began, address = out.tell(), f"unix:{folder}/e.sock"
        command = [str(environment.program), "--address", address, "--log-format", "console", *options(choices)]
        with beside(*command, log=out) as process:

            def ended() -> str | None:
                code = process.poll()
                return None if code is None else reason(log.read_bytes()[began:].decode(errors="replace"), code)

            try:
                kind = until_serving(address, ended, hear)
            except ProvisionError as error:
                raise ProvisionError(f"{error} (its log is {log})") from error
    progress.say(f"it serves: {kind}")


def options(choices: Mapping[str, str]) -> list[str]:
    """Return recorded choices as the daemon's own options."""
    return [word for name, value in choices.items() for word in (OPTIONS[name], value)]
