"""Measures the engines while the daemon serves with a fallback, so that its next start uses the fastest."""

from __future__ import annotations

import asyncio
import math
import os
import signal
from contextlib import suppress
from subprocess import PIPE, STDOUT

from embedder_daemon import logs
from embedder_daemon.engines.autotune_result import UNMEASURED
from embedder_daemon.errors import UnavailableError
from embedder_daemon.runtime.lifecycle import Lifecycle
from embedder_daemon.settings import DaemonSettings
from embedder_daemon.system import child_process
from memory_common.reasons import reason


async def when_unmeasured(lifecycle: Lifecycle, settings: DaemonSettings) -> None:
    """Wait until the daemon serves, then measure if nothing was measured; cancelling stops it."""
    if settings.engine != "auto":
        return
    with suppress(UnavailableError):
        async with lifecycle.engine(math.inf) as engine:
            choice = engine.facts.choice
        if choice == UNMEASURED:
            logs.get().info("measuring the engines in the background; the next start uses the fastest")
            logs.get().info(f"measured in the background: {await _measure(settings)}")


async def _measure(settings: DaemonSettings) -> str:
    """Run autotune in its own process group, and return its outcome; its stdin closes when we are gone."""
    arguments = ["--model", settings.model, "--device", settings.device, "--threads", str(settings.threads)]
    arguments += ["--dimensions", str(settings.dimensions)]
    prompts = {"query": settings.query_prompt, "document": settings.document_prompt}
    arguments += [f"--{task}-prompt={prompt}" for task, prompt in prompts.items() if prompt is not None]
    command = child_process.command("autotune", "background", *arguments)
    try:
        process = await asyncio.create_subprocess_exec(
            *command, stdin=PIPE, stdout=PIPE, stderr=STDOUT, start_new_session=True
        )
    except OSError as error:
        return f"no, because {command[0]} cannot be started: {error.strerror}"
    try:
        output = await process.stdout.read() if process.stdout else b""
        await process.wait()
    finally:
        with suppress(ProcessLookupError, PermissionError):  # already exited; macOS raises the latter for a zombie
            os.killpg(process.pid, signal.SIGKILL)
    return reason(output.decode(errors="replace"), process.returncode or 0)
