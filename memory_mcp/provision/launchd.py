"""The LaunchAgent that starts the daemon at login and restarts it when it fails (macOS)."""

from __future__ import annotations

import os
import plistlib
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from memory_mcp.provision import source
from memory_mcp.provision.errors import ProvisionError
from memory_mcp.provision.process import Runner

LABEL: Final = "com.memory-mcp.embedder"
LOG_NAME: Final = "embedder.log"

UNLOAD_SECONDS: Final = 25.0
"""launchd waits ExitTimeOut (20 s) for the daemon, and `bootout` may return before the job is gone."""


def render(program: Path, address: str, logs: Path, environment: Mapping[str, str]) -> bytes:
    """Return the LaunchAgent's file; `environment` is added to what the job sees, which is bare otherwise."""
    values = {"@PROGRAM@": str(program), "@ADDRESS@": address, "@LOG@": str(logs / LOG_NAME)}
    job = plistlib.loads(source.plist_template().read_bytes())
    job["EnvironmentVariables"].update(environment)
    job = {key: _fill(value, values) for key, value in job.items()}
    return plistlib.dumps(job, sort_keys=False)


def _fill(value: object, values: Mapping[str, str]) -> object:
    if isinstance(value, str):
        return values.get(value, value)
    if isinstance(value, list):
        return [_fill(item, values) for item in value]
    if isinstance(value, dict):
        return {key: _fill(item, values) for key, item in value.items()}
    return value


@dataclass(frozen=True)
class LaunchAgent:
    """The job in the user's session; `platform` and `home` are arguments for the tests."""

    runner: Runner
    platform: str = sys.platform
    home: Path = Path("~")

    @property
    def file(self) -> Path:
        """The file that launchd reads at login."""
        return self.home.expanduser() / "Library" / "LaunchAgents" / f"{LABEL}.plist"

    @property
    def fits(self) -> bool:
        """Whether this system has launchd."""
        return self.platform == "darwin"

    def install(self, content: bytes, logs: Path) -> None:
        """Write the file and start the job, in place of an older one.

        Raises:
            ProvisionError: this is no macOS, or launchctl refuses.
        """
        self._require_macos()
        logs.mkdir(parents=True, exist_ok=True)  # launchd does not make it
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self._unload()
        self.file.write_bytes(content)
        self.runner.output("launchctl", "bootstrap", _domain(), str(self.file))

    def uninstall(self) -> bool:
        """Stop the job and remove its file; say whether there was one.

        Raises:
            ProvisionError: this is no macOS, or launchctl refuses.
        """
        self._require_macos()
        was_there = self._unload() or self.file.exists()
        self.file.unlink(missing_ok=True)
        return was_there

    def _require_macos(self) -> None:
        if not self.fits:
            raise ProvisionError(
                f"launchd is macOS's, and this is {self.platform}: start the daemon by hand with `embedder-daemon`"
            )

    def _unload(self) -> bool:
        if not self._is_loaded():
            return False
        self.runner.output("launchctl", "bootout", f"{_domain()}/{LABEL}")
        give_up = time.monotonic() + UNLOAD_SECONDS
        while self._is_loaded():
            if time.monotonic() > give_up:
                raise ProvisionError(f"launchd does not let go of {LABEL}; try `launchctl bootout {_domain()}/{LABEL}`")
            time.sleep(0.2)
        return True

    def _is_loaded(self) -> bool:
        try:
            self.runner.output("launchctl", "print", f"{_domain()}/{LABEL}")
        except ProvisionError:
            return False
        return True


def _domain() -> str:
    return f"gui/{os.getuid()}"
