"""Finds, refreshes, rolls back and stops an installed daemon."""

from __future__ import annotations

import os
import shlex
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from embedder_api.v1.address import socket_path
from platformdirs import user_data_path

from memory_mcp.provision import code, source
from memory_mcp.provision.errors import ProvisionError
from memory_mcp.provision.launchd import LaunchAgent
from memory_mcp.provision.process import Runner, SystemRunner
from memory_mcp.provision.progress import InstallProgress
from memory_mcp.provision.recipe import Recipe, pins_digest
from memory_mcp.provision.service import STOP_SECONDS, Service
from memory_mcp.provision.systemd import SystemdUnit
from memory_mcp.provision.versions import Environment, Versions

IN_CHECKOUT: Final = ".venv-daemon"
"""Where `make setup` builds."""
CHOSEN_BY: Final = "chosen_by"
"""Key in a stamp: the code of the memory-mcp that rolled back to the environment and accepts it as it is."""


def default_place() -> Path:
    """Return the default place of the daemon's environment."""
    return user_data_path("memory-mcp") / "daemon"


def install_command(versions: Versions) -> str:
    """Return the command that brings a place up to date."""
    root = source.checkout()
    if root and versions.place == root / IN_CHECKOUT:
        return "make setup"
    return f"memory-mcp daemon install{_venv_option(versions)}"


def restart_command(versions: Versions, service: Service | None) -> str:
    """Return the command that restarts the daemon of a place, with or without a supervisor."""
    return _run_command("restart", versions, service)


def start_command(versions: Versions, service: Service | None) -> str:
    """Return the command that starts the daemon of a place, with or without a supervisor."""
    return _run_command("start", versions, service)


def _run_command(verb: str, versions: Versions, service: Service | None) -> str:
    by_hand = "" if is_registered(service) else " --no-service"
    return f"memory-mcp daemon {verb}{by_hand}{_venv_option(versions)}"


def is_registered(service: Service | None) -> bool:
    """Whether a supervisor starts the daemon."""
    return service is not None and service.file.is_file()


def _venv_option(versions: Versions) -> str:
    return "" if versions.place == default_place() else f" --venv {shlex.quote(str(versions.place))}"


def find_service(runner: Runner) -> Service | None:
    """Return this system's supervisor; None if there is none."""
    services: tuple[LaunchAgent | SystemdUnit, ...] = (LaunchAgent(runner), SystemdUnit(runner))
    return next((service for service in services if service.fits), None)


def place_of(service: Service | None) -> Path | None:
    """Return the place that a service starts the daemon from; None if it is not registered."""
    program = service.program() if service else None
    return program.parents[1] if program and program.is_absolute() else None


def left_service() -> Path | None:
    """Return the file that we registered; a supervisor that does not answer now may read it at the next login."""
    services: tuple[LaunchAgent | SystemdUnit, ...] = (LaunchAgent(SystemRunner()), SystemdUnit(SystemRunner()))
    return next((service.file for service in services if service.file.is_file()), None)


def missing(versions: Versions) -> str:
    """Say what is missing from the environment in use; empty if nothing is."""
    environment = versions.current()
    if environment is None:
        return f"the daemon is not installed in {versions.place}"
    if not environment.python.exists():
        return f"the daemon's interpreter {environment.python} is gone, as after brew upgrade"
    return ""


def require(versions: Versions) -> Environment:
    """Return the environment in use; raises ProvisionError if it is missing or incomplete."""
    environment, cause = versions.current(), missing(versions)
    if environment is None or cause:
        raise ProvisionError(f"{cause}: run `{install_command(versions)}`")
    return environment


def refreshed(versions: Versions, progress: InstallProgress) -> Environment:
    """Return the environment in use with this installation's code in it.

    Raises:
        ProvisionError: there is none, or it lacks packages that this code needs.
    """
    environment = require(versions)
    if _is_chosen(environment) or environment.stamp().get("code") == code.key():
        return environment
    with versions.locked():
        environment = require(versions)
        if environment.stamp().get("pins") != pins_digest(Recipe()):
            raise ProvisionError(
                f"{environment.folder} lacks packages that this memory-mcp needs; run `{install_command(versions)}`"
            )
        with progress.step(code.title()):
            code.install(environment, _no_pip)
        environment.write_stamp({**environment.stamp(), "code": code.key()})
    return environment


def _is_chosen(environment: Environment) -> bool:
    """Whether its code needs no update: it is linked, or this very memory-mcp rolled back to it."""
    return source.checkout() is not None or environment.stamp().get(CHOSEN_BY) == code.key()


def _no_pip(*_words: str) -> None:
    raise AssertionError("only a checkout's code is linked")


def roll_back(versions: Versions) -> str:
    """Go back to the previous environment; return one line that says so.

    Raises:
        ProvisionError: there is none.
    """
    with versions.locked():
        previous = versions.previous()
        if previous is None:
            raise ProvisionError(f"there is no earlier environment of {versions.place} to roll back to")
        previous.write_stamp({**previous.stamp(), CHOSEN_BY: code.key()})  # it serves with its own code
        versions.use(previous)
    return f"{versions.place} points to {previous.folder.name} again"


def holder(address: str) -> int | None:
    """Return the process id of the daemon that holds an address, whoever started it."""
    path = socket_path(address)
    with suppress(OSError, ValueError):
        pid = int(path.with_name(f"{path.name}.lock").read_text(encoding="ascii"))
        return pid if _is_daemon(pid) else None
    return None


def end_holder(address: str, *, wait: bool = True) -> bool:
    """Let the daemon of an address finish its calls and exit; return whether there was one.

    Raises:
        ProvisionError: we may not stop it, or it does not exit in time.
    """
    pid = holder(address)
    if pid is None:
        return False
    try:
        os.kill(pid, signal.SIGTERM)
    except OSError as error:
        raise ProvisionError(f"process {pid} holds {address} and cannot be stopped: {error.strerror}") from error
    give_up = time.monotonic() + STOP_SECONDS
    while wait and holder(address) == pid:
        if time.monotonic() > give_up:
            raise ProvisionError(f"process {pid} did not exit within {STOP_SECONDS:.0f} s; try `kill -9 {pid}`")
        time.sleep(0.05)
    return True


def runs_from(versions: Versions, pid: int | None) -> bool:
    """Whether a process was started from an environment of a place."""
    folders = [versions.place, *(found.folder for found in versions.all())]
    command = _command(pid) if pid else ""
    return any(f"{folder}/bin/" in command for folder in folders)


def _is_daemon(pid: int) -> bool:
    """Whether a process is one of our daemons; its id may have been reused by another program."""
    command = _command(pid)
    return "embedder-daemon" in command or "embedder_daemon" in command


def _command(pid: int) -> str:
    """Return the command line of a process; empty if it has exited."""
    import psutil  # noqa: PLC0415 - only some commands need it

    try:
        return " ".join(psutil.Process(pid).cmdline())
    except psutil.Error:
        return ""
