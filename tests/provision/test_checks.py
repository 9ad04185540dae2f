"""What doctor asks of the daemon's environment and of its supervisor."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from memory_mcp.domain.models import Condition, Finding
from memory_mcp.provision import checks
from memory_mcp.provision.checks import Environment
from memory_mcp.provision.environment import STAMP, site_packages
from memory_mcp.provision.errors import ProvisionError
from memory_mcp.provision.launchd import LABEL, LaunchAgent
from memory_mcp.provision.process import Runner
from tests.provision.conftest import make_environment

SECONDS = 20.0


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    """Make one that is whole."""
    make_environment(tmp_path / "env")
    return Environment(tmp_path / "env", "build it")


def test_an_environment_is_told_and_its_faults(environment: Environment) -> None:
    """Python and torch with their places; code of another place; no torch."""
    packages = site_packages(environment.venv)
    found = checks.interpreter(environment, SECONDS)
    assert isinstance(found, Finding)
    assert (found.condition, f"torch 2.13.0 from {packages / 'torch'}" in found.detail) == (Condition.OK, True)
    stamp = environment.venv / STAMP
    whole = stamp.read_text(encoding="utf-8")
    stamp.write_text(json.dumps(json.loads(whole) | {"code": "elsewhere"}), encoding="utf-8")
    assert _cause(environment).endswith("has the daemon's code of another version or place")
    stamp.write_text(whole, encoding="utf-8")
    shutil.rmtree(packages / "torch")
    assert _cause(environment).endswith("has no torch")


def _cause(environment: Environment) -> str:
    found = checks.interpreter(environment, SECONDS)
    assert isinstance(found, Finding)
    assert (found.condition, found.mend) == (Condition.DEGRADED, "build it")
    return found.cause


def test_a_models_files_are_compared(environment: Environment) -> None:
    """Whole, damaged and missing."""
    weights = site_packages(environment.venv) / "weights"
    digests = {"weights": hashlib.sha256(b"right").hexdigest()}
    conditions = []
    for content in (b"right", b"wrong", None):
        weights.write_bytes(content) if content else weights.unlink()
        found = checks.model(environment, digests, SECONDS)
        assert isinstance(found, Finding)
        conditions.append((found.condition, "weights" in found.cause, "--force-reinstall" in found.mend))
    assert conditions == [(Condition.OK, False, False), *[(Condition.DEGRADED, True, True)] * 2]


@dataclass
class Launchd:
    """Answers `launchctl print` as launchd does."""

    state: str = ""
    """Empty: the job is not loaded."""

    def output(self, *command: str) -> str:
        """Print the job."""
        assert command == ("launchctl", "print", f"gui/{os.getuid()}/{LABEL}")
        if not self.state:
            raise ProvisionError("`launchctl print` failed with exit code 113: Could not find service")
        return (
            f"{command[2]} = {{\n\tactive count = 1\n\tpath = /x.plist\n\tstate = {self.state}\n\n"
            "\tpid = 4711\n\tlast exit code = 1\n\tjobs = {\n\t\tstate = other\n\t}\n}\n"
        )

    def stream(self, *command: str) -> None:
        """Answer like output."""
        self.output(*command)


@pytest.mark.parametrize(
    ("state", "has_file", "expected"),
    [
        ("running", True, Finding(Condition.OK, "running", detail="launchd runs it: {told}")),
        (
            "spawn scheduled",
            True,
            Finding(
                Condition.DEGRADED,
                "not running",
                "launchd knows the daemon and does not run it: {told}",
                "launchctl kickstart {job}",
            ),
        ),
        ("", False, "launchd does not start it; memory-mcp daemon install registers it"),
    ],
)
def test_launchd_is_asked(tmp_path: Path, state: str, has_file: bool, expected: Finding | str) -> None:  # noqa: FBT001 - a table's column
    """It runs the job; it does not, and the mend starts it; it knows of none."""
    found = _asked(Launchd(state), tmp_path, has_file=has_file)
    told = f"state {state}, pid 4711, last exit code 1"
    if isinstance(expected, str) or isinstance(found, str):
        assert found == expected
        return
    assert (found.condition, found.state) == (expected.condition, expected.state)
    assert found.cause == expected.cause.format(told=told)
    assert found.detail == expected.detail.format(told=told)
    assert found.mend == expected.mend.format(job=f"gui/{os.getuid()}/{LABEL}")


def test_a_job_that_is_not_loaded_is_named(tmp_path: Path) -> None:
    """Its file is there, and launchd does not know it: the mend loads it."""
    found = _asked(Launchd(), tmp_path, has_file=True)
    assert isinstance(found, Finding)
    assert found.condition is Condition.DEGRADED
    assert found.mend == f"launchctl bootstrap gui/{os.getuid()} {tmp_path}/Library/LaunchAgents/{LABEL}.plist"


def _asked(launchd: Launchd, home: Path, *, has_file: bool) -> Finding | str:
    agent = LaunchAgent(launchd, platform="darwin", home=home)
    if has_file:
        agent.file.parent.mkdir(parents=True)
        agent.file.touch()

    def ask(runner: Runner) -> checks.Job | None:
        del runner
        return checks.job(launchd, agent)

    return checks.service(ask, SECONDS)


def test_elsewhere_there_is_no_service() -> None:
    """Where nothing supervises the daemon, that is said and is no fault."""
    other = LaunchAgent(Launchd(), platform="plan9")
    assert checks.service(lambda runner: checks.job(runner, other), SECONDS) == (
        "this system has no service for it; the daemon is started by hand"
    )
