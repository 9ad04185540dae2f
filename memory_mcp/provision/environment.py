"""Builds the daemon's virtual environment with pip, next to the one in use.

With pip, because it sees a PyTorch that a `.pth` file adds; uv does not, and downloads a second one.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from memory_common.pins import MULTILINGUAL
from memory_mcp.provision import builds, code, models, multilingual
from memory_mcp.provision.builds import Build
from memory_mcp.provision.errors import ProvisionError
from memory_mcp.provision.interpreter import Choice, Homebrew
from memory_mcp.provision.models import Hub
from memory_mcp.provision.pip import Pip
from memory_mcp.provision.process import Runner
from memory_mcp.provision.progress import InstallProgress
from memory_mcp.provision.recipe import Recipe, pins_digest, verify_digests
from memory_mcp.provision.versions import Environment, Versions

PTH: Final = "homebrew-pytorch.pth"
HOMEBREW: Final = "homebrew.json"
"""Records the reused PyTorch; the daemon compares it at each start."""
CONSTRAINT: Final = "torch-constraint.txt"

_WHERE_IS_TORCH: Final = "import json, torch; print(json.dumps([torch.__file__, torch.__version__]))"


def _no_proof(environment: Environment, choices: Mapping[str, str], log: Path) -> None:
    """Accept the environment as it is."""


def _agree(objection: str) -> None:
    """Continue despite the objection."""


@dataclass(frozen=True)
class Builder:
    """Brings one place up to date; announces every step with its reason before it runs."""

    place: Path
    choice: Choice
    runner: Runner
    progress: InstallProgress
    recipe: Recipe = field(default_factory=Recipe)
    wishes: Mapping[str, str] = field(default_factory=dict)
    """The daemon's settings requested now; an empty value removes an earlier choice."""
    prove: Callable[[Environment, Mapping[str, str], Path], None] = _no_proof
    """Starts the environment's daemon with these settings, logging to the file; raises ProvisionError if it does not
    serve."""
    agree: Callable[[str], None] = _agree
    """Asks the user about an objection to the build; raises ProvisionError if the user agrees with it."""
    has_gpu: Callable[[], bool] = builds.has_gpu

    @property
    def versions(self) -> Versions:
        """All environments of the place."""
        return Versions(self.place)

    def build(self) -> bool:
        """Bring the place up to date; return whether there was anything to do.

        The environment in use stays in use until the new one has served. An interrupted build resumes on the next run.

        Raises:
            ProvisionError: a step failed.
        """
        with self.versions.locked():
            self.versions.require_ours()
            return self._build()

    def _build(self) -> bool:
        key, current = self.environment_key(), self.versions.current()
        self.versions.log.write_bytes(b"")  # the log is of the latest run only
        if current and current.stamp().get("environment") == key:
            return self._finish(current, key)
        for step in self.choice.steps:
            self.progress.say(step)
        environment = self._built_before(key) or self._new(key)
        if current:
            environment.write_choices(current.choices())
        self._finish(environment, key)
        self.versions.use(environment)
        if self.versions.previous():
            self.progress.say(f"{self.place} now points to {environment.folder.name}; {_ROLLBACK}")
        return True

    def _built_before(self, key: str) -> Environment | None:
        """Return a finished one built from the same inputs, as there is after `--rollback`."""
        found = next((each for each in self.versions.finished() if each.stamp().get("environment") == key), None)
        if found:
            self.progress.say(f"using {found.folder}, an earlier build from the same packages")
        return found

    def _new(self, key: str) -> Environment:
        environment = self.versions.unfinished(key)
        if environment:
            self.progress.say(f"resuming the interrupted build of {environment.folder}")
            forget_halves(environment)
        else:
            environment = self._make(key)
        self._fill(environment)
        return environment

    def _make(self, key: str) -> Environment:
        for old in self.versions.abandoned():
            shutil.rmtree(old.folder)
        environment = self.versions.fresh()
        builds.require_room(environment.folder, builds.REUSED)  # the smallest that any build needs
        environment.folder.mkdir(parents=True)
        environment.write_stamp({"building": key})
        with self.progress.step(f"creating {environment.folder} with Python {self.choice.version}") as hear:
            venv = ("-I", "-m", "venv", str(environment.folder))
            self.runner.record(str(self.choice.python), *venv, log=self.versions.log, hear=hear)
        return environment

    def _fill(self, environment: Environment) -> None:
        """Install everything but our own code; pip skips what is installed already."""
        homebrew, pip = self.choice.homebrew, self._pip(environment)
        build = self._build_of_torch(pip)
        builds.require_room(environment.folder, build, pip.cache())
        if homebrew:
            self._reuse_torch(environment, homebrew)
        version = homebrew.torch if homebrew else self.recipe.torch
        (environment.folder / CONSTRAINT).write_text(f"torch=={version}\n", encoding="utf-8")
        locks = self.recipe.locks(self.choice.version)
        if locks:
            self._install_by_hash(pip, locks)
        if not homebrew:
            with self.progress.step(f"installing PyTorch ({build.requirement})") as hear:
                pip.install(hear, build.requirement)
        if not locks:
            self._install_unchecked(environment, pip)
        if homebrew:
            prove_reuse(environment, homebrew, self.runner)
        with self.progress.step(f"installing the model ({self.recipe.model})") as hear:
            pip.install(hear, "--no-deps", self.recipe.model)
        verify_digests(environment.site_packages, self.recipe.digests)

    def _build_of_torch(self, pip: Pip) -> Build:
        if self.choice.homebrew:
            return builds.REUSED
        with self.progress.step(f"looking for PyTorch {self.recipe.torch}") as hear:
            build = builds.choose(pip, hear, self.recipe.torch, gpu=self.has_gpu())
        if build.objection:
            self.agree(build.objection)
        return build

    def _install_by_hash(self, pip: Pip, locks: Sequence[Path]) -> None:
        files = [word for lock in locks for word in ("-r", str(lock))]
        with self.progress.step("installing the daemon's packages, checked against their hashes") as hear:
            pip.install(hear, "--no-deps", "--require-hashes", *files)

    def _reuse_torch(self, environment: Environment, homebrew: Homebrew) -> None:
        self.progress.say(f"reusing torch {homebrew.torch} from {homebrew.site_packages} instead of downloading one")
        # addsitedir, not a plain path line: further .pth files there name torch's own dependencies (numpy).
        line = f"import site; site.addsitedir({str(homebrew.site_packages)!r})\n"
        (environment.site_packages / PTH).write_text(line, encoding="utf-8")
        record = {"torch": homebrew.torch, "site_packages": str(homebrew.site_packages)}
        (environment.folder / HOMEBREW).write_text(json.dumps(record), encoding="utf-8")

    def _install_unchecked(self, environment: Environment, pip: Pip) -> None:
        """Install by version, without hashes, if no lock file covers this platform and Python."""
        title = (
            "installing the daemon's packages without checking hashes, because none are known for "
            f"Python {self.choice.version} on this platform"
        )
        constraint = str(environment.folder / CONSTRAINT)
        with self.progress.step(title) as hear:
            pip.install(hear, "-c", constraint, "-r", str(self.recipe.requirements), *self.recipe.extras)

    def _finish(self, environment: Environment, key: str) -> bool:
        """Install our code and the model, measure the engines, and try out the daemon; skip what has not changed."""
        stamp, choices = environment.stamp(), self._choices(environment)
        wanted = {
            "environment": key,
            "pins": pins_digest(self.recipe),
            "code": code.key(),
            "measured": key + choices.get(models.VARIABLE, ""),
        }
        brings = choices.get(models.VARIABLE) == MULTILINGUAL and not multilingual.is_sound(environment)
        if stamp == wanted and choices == environment.choices() and not brings:
            return False
        before = code.in_use(environment)
        if stamp.get("code") != wanted["code"]:
            self._install_code(environment)
        try:
            if brings:
                pip = self._pip(environment)
                multilingual.install(environment, pip, self.runner, self.progress, self.versions.log)
            choices = Hub(environment, self.runner, self.progress, self.versions.log).pinned(choices)
            wanted["measured"] = key + choices.get(models.VARIABLE, "")
            if stamp.get("measured") != wanted["measured"]:
                self._measure(environment, choices)
            self.prove(environment, choices, self.versions.log)
        except ProvisionError:
            code.put_back(environment, before)
            raise
        environment.write_choices(choices)
        environment.write_stamp(wanted)
        return True

    def _choices(self, environment: Environment) -> dict[str, str]:
        merged = {**environment.choices(), **self.wishes}
        return {name: value for name, value in merged.items() if value}

    def _install_code(self, environment: Environment) -> None:
        with self.progress.step(code.title()) as hear:
            code.install(environment, partial(self._pip(environment).install, hear))

    def _measure(self, environment: Environment, choices: Mapping[str, str]) -> None:
        """Let the daemon find its fastest engine; a failure is reported, and the daemon then uses torch."""
        model = [word for name in (models.VARIABLE,) if name in choices for word in ("--model", choices[name])]
        try:
            with self.progress.step("converting the model and measuring the engines (half a minute, once)") as hear:
                choose = (str(environment.python), "-I", "-m", "embedder_daemon.autotune", *model)
                told = self.runner.record(*choose, log=self.versions.log, hear=hear)
        except ProvisionError as error:
            self.progress.say(f"could not measure the engines, so the daemon will use torch: {error}")
        else:
            self.progress.say(told.strip().rpartition("\n")[2].partition(" (")[0])

    def _pip(self, environment: Environment) -> Pip:
        return Pip(environment.python, self.runner, self.versions.log)

    def environment_key(self) -> str:
        """Return a digest that changes when the environment has to be rebuilt."""
        homebrew = self.choice.homebrew
        parts = f"{self.choice.python}\0{self.choice.version}\0{homebrew or ''}\0{self.recipe.digest()}"
        return hashlib.sha256(parts.encode()).hexdigest()


_ROLLBACK: Final = "`memory-mcp daemon install --rollback` returns to the previous one"


def forget_halves(environment: Environment) -> None:
    """Make pip reinstall the package that it was installing when interrupted: pip writes INSTALLER last."""
    for info in environment.folder.glob("lib/python3*/site-packages/*.dist-info"):
        if not (info / "INSTALLER").is_file():
            shutil.rmtree(info)


def prove_reuse(environment: Environment, homebrew: Homebrew, runner: Runner) -> None:
    """Check that `import torch` finds Homebrew's, and that no second one was installed.

    Raises:
        ProvisionError: torch comes from elsewhere; the message says from where.
    """
    second = next(environment.site_packages.glob("torch"), None)
    if second:
        raise ProvisionError(f"pip installed a second torch in {second}, although Homebrew's should be reused")
    file, version = json.loads(runner.output(str(environment.python), "-I", "-c", _WHERE_IS_TORCH))
    if not Path(file).resolve().is_relative_to(homebrew.prefix.resolve()):
        raise ProvisionError(f"torch {version} comes from {file}, not from Homebrew in {homebrew.prefix}")
