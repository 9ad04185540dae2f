"""The port of the supervisor that starts the daemon at login and restarts it when it fails (launchd or systemd)."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from memory_common import whole_file
from memory_mcp.provision.errors import ProvisionError

STOP_SECONDS: Final = 25.0
"""Supervisors kill the daemon 20 s after SIGTERM; their command may return before the process is gone."""
LOG_NAME: Final = "embedder.log"


@dataclass(frozen=True)
class Job:
    """The daemon as a supervisor runs it."""

    program: Path
    environment: Mapping[str, str]
    """Every variable that the daemon needs, its address included: supervisors pass on almost none."""
    logs: Path
    """The folder of log files, on systems without a journal."""


class Service(Protocol):
    """The daemon as a service of the system; every method raises ProvisionError if the system refuses."""

    @property
    def name(self) -> str:
        """The supervisor's name, for messages."""
        ...

    @property
    def file(self) -> Path:
        """The file that the system reads at login."""
        ...

    def program(self) -> Path | None:
        """Return the program named in the file; None without such a file."""
        ...

    def environment(self) -> dict[str, str]:
        """Return the variables that `install` wrote to the file; empty without such a file."""
        ...

    def install(self, job: Job) -> None:
        """Write the file and start the job; replaces an older one."""
        ...

    def uninstall(self) -> bool:
        """Stop the job and remove its file; return whether there was one."""
        ...

    def start(self) -> None:
        """Start the job unless it is running; it may not serve yet on return."""
        ...

    def stop(self) -> bool:
        """Let the job drain and exit; it stays stopped until the next start or login. Return whether it was running."""
        ...

    def restart(self) -> None:
        """Let the job drain and exit, then start it again."""
        ...

    def process(self) -> int | None:
        """Return the job's process id; None if it is not running."""
        ...

    def logs(self, lines: int, *, follow: bool) -> list[str]:
        """Return the command that shows the log."""
        ...


def require_file(service: Service) -> None:
    """Raise ProvisionError if the service is not installed."""
    if not service.file.is_file():
        raise ProvisionError(f"the daemon is not registered with {service.name}; run `memory-mcp daemon install`")


def until_ended(service: Service, pid: int | None) -> None:
    """Wait until the job no longer runs as this process.

    Raises:
        ProvisionError: it did not end in time.
    """
    give_up = time.monotonic() + STOP_SECONDS
    while pid is not None and service.process() == pid:
        if time.monotonic() > give_up:
            raise ProvisionError(f"process {pid} did not exit within {STOP_SECONDS:.0f} s; try `kill -9 {pid}`")
        time.sleep(0.1)


def write(file: Path, content: bytes) -> None:
    """Write a file atomically; raises ProvisionError if it cannot be written."""
    make_folder(file.parent)
    try:
        whole_file.write(file, content, mode=0o644)
    except OSError as error:
        raise ProvisionError(f"{file} cannot be written ({error.strerror}); fix its folder's owner and mode") from error


def make_folder(folder: Path) -> None:
    """Create a folder unless it exists; raises ProvisionError if it cannot be created."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ProvisionError(
            f"the folder {folder} cannot be created ({error.strerror}); fix the owner and mode of the folder above it"
        ) from error
