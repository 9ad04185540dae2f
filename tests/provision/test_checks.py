"""What doctor asks of the daemon's environment and of its supervisor."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest

from memory_mcp.domain.models import Condition, Finding
from memory_mcp.provision import checks, code, installed, service, source
from memory_mcp.provision.process import SystemRunner
from memory_mcp.provision.service import Job, Service
from memory_mcp.provision.systemd import SystemdUnit, render
from memory_mcp.provision.versions import STAMP, Versions
from memory_mcp.provision.versions import Environment as Built
from tests.provision.conftest import make_environment, make_program

SECONDS = 20.0


@pytest.fixture
def versions(tmp_path: Path) -> Versions:
    """Make an environment that is whole."""
    make_environment(tmp_path / "env")
    return Versions(tmp_path / "env")


def test_an_environment_is_told_and_its_faults(versions: Versions) -> None:
    """Python and torch with their places; code of another place; no torch."""
    packages = Built(versions.place).site_packages
    found = checks.interpreter(versions, SECONDS)
    assert isinstance(found, Finding)
    assert (found.condition, f"torch 2.13.0 from {packages / 'torch'}" in found.detail) == (Condition.OK, True)
    stamp = versions.place / STAMP
    whole = stamp.read_text(encoding="utf-8")
    stamp.write_text(json.dumps(json.loads(whole) | {"code": "elsewhere"}), encoding="utf-8")
    assert _cause(versions).endswith("has the daemon's code of another place")
    stamp.write_text(whole, encoding="utf-8")
    shutil.rmtree(packages / "torch")
    assert _cause(versions).endswith("has no torch")


def test_what_the_system_starts_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a place that is named, doctor takes the one of the unit; one that was gone back to is no fault."""
    monkeypatch.setattr(source, "checkout", lambda: None)
    for name, folder in (("HOME", "home"), ("XDG_CONFIG_HOME", "config"), ("PATH", "bin")):
        monkeypatch.setenv(name, str(tmp_path / folder))
    default = installed.default_place()
    assert checks.place(None) == default
    make_program(tmp_path / "bin" / "systemctl", "#!/bin/sh\nexit 0\n")
    assert checks.place(None) == default
    unit = SystemdUnit(SystemRunner())
    service.write(unit.file, render(Job(tmp_path / "env" / "bin" / "embedder-daemon", {}, tmp_path)))
    found = checks.place(None)
    assert found == tmp_path / "env"
    make_environment(found)
    built = Built(found)
    built.write_stamp({**built.stamp(), "code": "older", installed.CHOSEN_BY: code.key()})
    seen = checks.interpreter(Versions(found), SECONDS)
    assert isinstance(seen, Finding)
    assert seen.condition is Condition.OK


def _cause(versions: Versions) -> str:
    found = checks.interpreter(versions, SECONDS)
    assert isinstance(found, Finding)
    assert (found.condition, found.mend) == (Condition.DEGRADED, f"memory-mcp daemon install --venv {versions.place}")
    return found.cause


def test_a_models_files_are_compared(versions: Versions) -> None:
    """Whole, damaged and missing."""
    weights = Built(versions.place).site_packages / "weights"
    digests = {"weights": hashlib.sha256(b"right").hexdigest()}
    conditions = []
    for content in (b"right", b"wrong", None):
        weights.write_bytes(content) if content else weights.unlink()
        found = checks.model(versions, digests, SECONDS)
        assert isinstance(found, Finding)
        conditions.append((found.condition, "weights" in found.cause, "--force-reinstall" in found.mend))
    assert conditions == [(Condition.OK, False, False), *[(Condition.DEGRADED, True, True)] * 2]


@dataclass(frozen=True)
class System:
    """A supervisor that is as it is told."""

    file: Path
    running: int | None = None
    name: str = "launchd"

    def process(self) -> int | None:
        """Return the job's process id."""
        return self.running


@pytest.mark.parametrize(
    ("registered", "running", "expected"),
    [
        (True, 4711, Finding(Condition.OK, "running", detail="launchd runs it as process 4711")),
        (
            True,
            None,
            Finding(
                Condition.DEGRADED,
                "not running",
                "launchd knows the daemon and does not run it",
                "memory-mcp daemon start",
            ),
        ),
        (False, None, "launchd does not start it; memory-mcp daemon install registers it"),
    ],
)
def test_the_supervisor_is_asked(
    tmp_path: Path,
    registered: bool,  # noqa: FBT001 - a table's column
    running: int | None,
    expected: Finding | str,
) -> None:
    """It runs the job; it does not, and the mend starts it; it knows of none."""
    file = tmp_path / "job"
    if registered:
        file.touch()
    assert checks.service(lambda _: cast("Service", System(file, running)), SECONDS) == expected


def test_elsewhere_there_is_no_service() -> None:
    """Where nothing supervises the daemon, that is said and is no fault."""
    assert str(checks.service(lambda _: None, SECONDS)).startswith("this system has no service for it")
