"""The LaunchAgent that starts the daemon at login and restarts it when it fails (macOS)."""

from __future__ import annotations

import os
import plistlib
import re
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from memory_mcp.provision import service, source
from memory_mcp.provision.errors import ProvisionError
from memory_mcp.provision.process import Runner
from memory_mcp.provision.service import LOG_NAME, Job, until_ended

LABEL: Final = "com.memory-mcp.embedder"
STDERR_NAME: Final = "embedder-stderr.log"
LOG_FILE: Final = "EMBEDDER_LOG_FILE"


def render(job: Job) -> bytes:
    """Return the LaunchAgent's file."""
    values = {
        "@PROGRAM@": str(job.program),
        "@LOG@": str(job.logs / LOG_NAME),
        "@STDERR@": str(job.logs / STDERR_NAME),
    }
    template = plistlib.loads(source.template(source.PLIST).read_bytes())
    template["EnvironmentVariables"].update(job.environment)
    filled = {key: _fill(value, values) for key, value in template.items()}
    return plistlib.dumps(filled, sort_keys=False)


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
    """The job in the user's session; see `service.Service`. `platform` and `home` are arguments for the tests."""

    runner: Runner
    platform: str = sys.platform
    home: Path = Path("~")
    name: str = "launchd"

    @property
    def file(self) -> Path:
        return self.home.expanduser() / "Library" / "LaunchAgents" / f"{LABEL}.plist"

    @property
    def fits(self) -> bool:
        """Whether this system has launchd."""
        return self.platform == "darwin"

    def program(self) -> Path | None:
        words = self._plist().get("ProgramArguments")
        return Path(str(words[0])) if isinstance(words, list) and words else None

    def environment(self) -> dict[str, str]:
        """Return the plist's variables except that of the log file."""
        found = self._plist().get("EnvironmentVariables")
        variables = found if isinstance(found, dict) else {}
        return {str(name): str(value) for name, value in variables.items() if name != LOG_FILE}

    def install(self, job: Job) -> None:
        """Write the file and start the job; replaces an older one, which keeps running if that fails."""
        service.make_folder(job.logs)  # launchd does not create it
        service.write(self.file, render(job))
        self._unload()
        self._bootstrap()

    def uninstall(self) -> bool:
        was_there = self._unload() or self.file.exists()
        self.file.unlink(missing_ok=True)
        return was_there

    def start(self) -> None:
        service.require_file(self)
        if self._print() is None:
            self._bootstrap()
        elif self.process() is None:
            self._launchctl("kickstart", _job())

    def stop(self) -> bool:
        was_there = self.process() is not None
        self._unload()
        return was_there

    def restart(self) -> None:
        """Let the job drain and exit, then start it again; which signal `kickstart -k` sends is undocumented."""
        if (pid := self.process()) is not None:
            self._launchctl("kill", "SIGTERM", _job())
            until_ended(self, pid)
        self.start()

    def process(self) -> int | None:
        found = re.search(r"^\s*pid = (\d+)$", self._print() or "", re.MULTILINE)
        return int(found[1]) if found else None

    def logs(self, lines: int, *, follow: bool) -> list[str]:
        try:
            job = plistlib.loads(self.file.read_bytes())
        except (OSError, ValueError) as error:
            raise ProvisionError(f"{self.file} cannot be read; run `memory-mcp daemon install`") from error
        files = [job["EnvironmentVariables"][LOG_FILE], job["StandardErrorPath"]]
        there = [file for file in files if Path(file).is_file()]
        if not there:
            raise ProvisionError(f"there is no log yet; {files[0]} is created when the daemon starts")
        return ["tail", "-n", str(lines), *(["-F"] if follow else []), *there]

    def _plist(self) -> dict[str, object]:
        with suppress(OSError, ValueError):
            found = plistlib.loads(self.file.read_bytes())
            return found if isinstance(found, dict) else {}
        return {}

    def _bootstrap(self) -> None:
        self._launchctl("enable", _job())  # a disabled job fails to load with 5: Input/output error
        self._launchctl("bootstrap", _domain(), str(self.file))

    def _unload(self) -> bool:
        if self._print() is None:
            return False
        self._launchctl("bootout", _job())
        give_up = time.monotonic() + service.STOP_SECONDS
        while self._print() is not None:
            if time.monotonic() > give_up:
                raise ProvisionError(f"launchd does not release {LABEL}; try `launchctl bootout {_job()}`")
            time.sleep(0.2)
        return True

    def _print(self) -> str | None:
        """Return launchd's description of the job; None if it is not loaded."""
        try:
            return self._launchctl("print", _job())
        except ProvisionError:
            return None

    def _launchctl(self, *words: str) -> str:
        return self.runner.output("launchctl", *words)


def _domain() -> str:
    return f"gui/{os.getuid()}"


def _job() -> str:
    return f"{_domain()}/{LABEL}"
