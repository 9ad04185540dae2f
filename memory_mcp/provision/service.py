"""What starts the daemon at login and restarts it when it fails: launchd, systemd, or nothing."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from memory_common import whole_file
from memory_mcp.provision.errors import ProvisionError

STOP_SECONDS: Final = 25.0
"""Supervisors kill a daemon 20 s after SIGTERM, and may answer before it is gone."""
LOG_NAME: Final = "embedder.log"


@dataclass(frozen=True)
class Job:
    """What is to be run."""

    program: Path
    environment: Mapping[str, str]
    """All of it, the address too: a supervisor's own is bare."""
    logs: Path
    """The folder of log files, where the system has no journal."""


class Service(Protocol):
    """The daemon's place in the system; every method raises ProvisionError when the system refuses."""

    @property
    def name(self) -> str:
        """What the system calls it."""
        ...

    @property
    def file(self) -> Path:
        """The file that the system reads at login."""
        ...

    def program(self) -> Path | None:
        """Return the program that the file names; None where there is no file that says it."""
        ...

    def environment(self) -> dict[str, str]:
        """Return the variables that `install` was given, as the file has them; none where there is no such file."""
        ...

    def install(self, job: Job) -> None:
        """Write the file and start the job, in place of an older one."""
        ...

    def uninstall(self) -> bool:
        """Stop the job and remove its file; say whether there was one."""
        ...

    def start(self) -> None:
        """Start the job unless it runs; it may not serve yet."""
        ...

    def stop(self) -> bool:
        """Let the job drain and end, until the next start or login; say whether it ran."""
        ...

    def restart(self) -> None:
        """Let the job drain and end, and start it again."""
        ...

    def process(self) -> int | None:
        """Return the job's process id."""
        ...

    def logs(self, lines: int, *, follow: bool) -> list[str]:
        """Return the command that shows the log."""
        ...


def require_file(service: Service) -> None:
    """Raise ProvisionError where the service was never installed."""
    if not service.file.is_file():
        raise ProvisionError(f"{service.name} does not know the daemon: run `memory-mcp daemon install`")


def until_ended(service: Service, pid: int | None) -> None:
    """Wait until a process is not the job's any more.

    Raises:
        ProvisionError: it did not end in time.
    """
    give_up = time.monotonic() + STOP_SECONDS
    while pid is not None and service.process() == pid:
        if time.monotonic() > give_up:
            raise ProvisionError(f"process {pid} did not end within {STOP_SECONDS:.0f} s: try `kill -9 {pid}`")
        time.sleep(0.1)


def write(file: Path, content: bytes) -> None:
    """Write a file in one step; raises ProvisionError when it cannot be written."""
    make_folder(file.parent)
    try:
        whole_file.write(file, content, mode=0o644)
    except OSError as error:
        raise ProvisionError(f"{file} cannot be written ({error.strerror}): fix its folder's owner and mode") from error


def make_folder(folder: Path) -> None:
    """Make a folder unless it is there; raises ProvisionError when it cannot be made."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ProvisionError(f"the folder {folder} cannot be made ({error.strerror})") from error
