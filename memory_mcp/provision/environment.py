"""Builds the virtual environment that the daemon runs in, with pip, beside the one that is in use.

pip, because it sees a PyTorch that was added by a `.pth` file; uv does not, and downloads a second one.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from memory_mcp.provision import code, models
from memory_mcp.provision.errors import ProvisionError
from memory_mcp.provision.interpreter import Choice, Homebrew
from memory_mcp.provision.process import Runner
from memory_mcp.provision.recipe import Recipe, pins, verify_digests
from memory_mcp.provision.versions import Environment, Versions

PTH: Final = "homebrew-pytorch.pth"
HOMEBREW: Final = "homebrew.json"
"""What was reused, for the daemon, which compares it at each start."""
CONSTRAINT: Final = "torch-constraint.txt"

# On some Linux machines the pinned torch resolves to a CUDA build of several gigabytes. Which builds there are
# depends on the package index: PyTorch's own page "Get started" names the one with the CPU builds, and pip takes it
# from PIP_EXTRA_INDEX_URL (or PIP_INDEX_URL, or an `index-url` in pip.conf); `2.13.0+cpu` then wins over `2.13.0`.
CPU_HINT: Final = (
    "if pip starts to fetch nvidia packages and you want a CPU build: interrupt, set PIP_EXTRA_INDEX_URL to the index "
    "that PyTorch's installation page names for CPU, and run this again"
)

_WHERE_IS_TORCH: Final = "import json, torch; print(json.dumps([torch.__file__, torch.__version__]))"


def _no_proof(environment: Environment, choices: Mapping[str, str]) -> None:
    """Take the environment as it is."""


@dataclass(frozen=True)
class Builder:
    """Brings one place up to date; every step is announced by one line, with its reason, before it runs."""

    place: Path
    choice: Choice
    runner: Runner
    say: Callable[[str], None]
    recipe: Recipe = field(default_factory=Recipe)
    wishes: Mapping[str, str] = field(default_factory=dict)
    """The daemon's settings that are asked for now; an empty value takes one back."""
    prove: Callable[[Environment, Mapping[str, str]], None] = _no_proof
    """Raises ProvisionError when a daemon of the environment does not serve with these settings."""

    @property
    def versions(self) -> Versions:
        """All environments of the place."""
        return Versions(self.place)

    def build(self) -> bool:
        """Bring the place up to date; say whether there was anything to do.

        What is in use stays in use until the new one has served; where it was broken off, the next run goes on.

        Raises:
            ProvisionError: a step failed.
        """
        with self.versions.locked():
            self.versions.require_ours()
            return self._build()

    def _build(self) -> bool:
        key, current = self.environment_key(), self.versions.current()
        if current and current.stamp().get("environment") == key:
            return self._finish(current, key)
        for step in self.choice.steps:
            self.say(step)
        environment = self._built_before(key) or self._new(key)
        if current:
            environment.write_choices(current.choices())
        self._finish(environment, key)
        self.versions.use(environment)
        self.say(f"{self.place} is {environment.folder.name} now" + (_ROLLBACK if self.versions.previous() else ""))
        return True

    def _built_before(self, key: str) -> Environment | None:
        """Return a finished one of the same things, as after `--rollback`."""
        found = next((each for each in self.versions.finished() if each.stamp().get("environment") == key), None)
        if found:
            self.say(f"taking {found.folder}, which was built from the same things before")
        return found

    def _new(self, key: str) -> Environment:
        environment = self.versions.unfinished(key)
        if environment:
            self.say(f"going on with {environment.folder}, which was broken off")
            forget_halves(environment)
        else:
            environment = self._make(key)
        self._fill(environment)
        return environment

    def _make(self, key: str) -> Environment:
        for old in self.versions.abandoned():
            shutil.rmtree(old.folder)
        environment = self.versions.fresh()
        self.say(f"making {environment.folder} with Python {self.choice.version} ({self.choice.python})")
        environment.folder.mkdir(parents=True)
        environment.write_stamp({"building": key})
        self.runner.stream(str(self.choice.python), "-m", "venv", str(environment.folder))
        return environment

    def _fill(self, environment: Environment) -> None:
        """Install everything but our own code; what is there already, pip leaves alone."""
        homebrew = self.choice.homebrew
        if homebrew:
            self._reuse_torch(environment, homebrew)
        version = homebrew.torch if homebrew else self.recipe.torch
        (environment.folder / CONSTRAINT).write_text(f"torch=={version}\n", encoding="utf-8")
        locks = self.recipe.locks(self.choice.version)
        if locks:
            self.say(f"installing what the daemon needs beside torch ({locks[0].name}), each file's hash checked")
            self._pip(
                environment, "--no-deps", "--require-hashes", *(word for lock in locks for word in ("-r", str(lock)))
            )
        if not homebrew:
            self._install_torch(environment)
        if not locks:
            self._install_unchecked(environment)
        if homebrew:
            prove_reuse(environment, homebrew, self.runner)
        self.say(f"installing the model ({self.recipe.model}) and checking its digests")
        self._pip(environment, "--no-deps", self.recipe.model)
        verify_digests(environment.site_packages, self.recipe.digests)

    def _reuse_torch(self, environment: Environment, homebrew: Homebrew) -> None:
        self.say(f"reusing torch {homebrew.torch} from {homebrew.site_packages}, so that none is downloaded")
        # addsitedir, not a plain path line: torch's own dependencies (numpy) are named by further .pth files there.
        line = f"import site; site.addsitedir({str(homebrew.site_packages)!r})\n"
        (environment.site_packages / PTH).write_text(line, encoding="utf-8")
        record = {"torch": homebrew.torch, "site_packages": str(homebrew.site_packages)}
        (environment.folder / HOMEBREW).write_text(json.dumps(record), encoding="utf-8")

    def _install_torch(self, environment: Environment) -> None:
        self.say(
            f"installing torch {self.recipe.torch} by its version, because its builds differ; pip shows how far it is"
        )
        if sys.platform == "linux":
            self.say(CPU_HINT)
        self._pip(environment, f"torch=={self.recipe.torch}")

    def _install_unchecked(self, environment: Environment) -> None:
        """Install by versions alone, where no lock file covers this platform and Python."""
        name = self.recipe.requirements.name
        self.say(
            f"installing what the daemon needs beside torch ({name}) by versions alone: the hashes of the files for "
            f"Python {self.choice.version} on this platform are not known"
        )
        constraint = str(environment.folder / CONSTRAINT)
        self._pip(environment, "-c", constraint, "-r", str(self.recipe.requirements), *self.recipe.extras)

    def _finish(self, environment: Environment, key: str) -> bool:
        """Bring in code and model, measure, and let a daemon serve; each where something changed."""
        stamp, choices = environment.stamp(), self._choices(environment)
        wanted = {
            "environment": key,
            "pins": pins(self.recipe),
            "code": code.key(),
            "measured": key + choices.get(models.VARIABLE, ""),
        }
        if stamp == wanted and choices == environment.choices():
            return False
        before = code.in_use(environment)
        if stamp.get("code") != wanted["code"]:
            code.install(environment, lambda *words: self._pip(environment, *words), self.say)
        try:
            choices = models.pinned(environment, choices, self.runner, self.say)
            wanted["measured"] = key + choices.get(models.VARIABLE, "")
            if stamp.get("measured") != wanted["measured"]:
                self._measure(environment, choices)
            self.prove(environment, choices)
        except ProvisionError:
            code.put_back(environment, before)
            raise
        environment.write_choices(choices)
        environment.write_stamp(wanted)
        return True

    def _choices(self, environment: Environment) -> dict[str, str]:
        merged = {**environment.choices(), **self.wishes}
        return {name: value for name, value in merged.items() if value}

    def _measure(self, environment: Environment, choices: Mapping[str, str]) -> None:
        """Let the daemon find its fastest engine; without a verdict it takes torch, so that this may fail."""
        self.say("converting the model and measuring which engine is the fastest here (half a minute, once)")
        model = [word for name in (models.VARIABLE,) if name in choices for word in ("--model", choices[name])]
        try:
            self.runner.stream(str(environment.python), "-I", "-m", "embedder_daemon.choose", *model)
        except ProvisionError as error:
            self.say(f"no engine was chosen, so the daemon will use torch: {error}")

    def _pip(self, environment: Environment, *arguments: str) -> None:
        # -I keeps PYTHONPATH and the user's own packages out.
        pip = (str(environment.python), "-I", "-m", "pip", "install", "--disable-pip-version-check")
        self.runner.stream(*pip, *arguments)

    def environment_key(self) -> str:
        """Return what changes when the environment has to be built again."""
        homebrew = self.choice.homebrew
        parts = [str(self.choice.python), self.choice.version, str(homebrew or ""), self.recipe.digest()]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()


_ROLLBACK: Final = "; `memory-mcp daemon install --rollback` goes back to the one before"


def forget_halves(environment: Environment) -> None:
    """Make pip install again what it was installing when it was broken off: it writes INSTALLER last."""
    for info in environment.folder.glob("lib/python3*/site-packages/*.dist-info"):
        if not (info / "INSTALLER").is_file():
            shutil.rmtree(info)


def prove_reuse(environment: Environment, homebrew: Homebrew, runner: Runner) -> None:
    """Check that `import torch` takes Homebrew's, and that no second one was installed.

    Raises:
        ProvisionError: torch comes from elsewhere; the message says from where.
    """
    second = next(environment.site_packages.glob("torch"), None)
    if second:
        raise ProvisionError(f"a second torch was installed in {second}, although Homebrew's is to be reused")
    file, version = json.loads(runner.output(str(environment.python), "-I", "-c", _WHERE_IS_TORCH))
    if not Path(file).resolve().is_relative_to(homebrew.prefix.resolve()):
        raise ProvisionError(f"torch {version} comes from {file}, not from Homebrew in {homebrew.prefix}")
