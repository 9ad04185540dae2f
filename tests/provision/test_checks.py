"""What doctor asks of the daemon's environment and of its supervisor."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest
from embedder_api.v1 import contract
from embedder_api.v1 import embedder_pb2 as pb

from memory_mcp.domain.checks import skipped
from memory_mcp.domain.models import Condition, Finding
from memory_mcp.embedder.client import to_finding
from memory_mcp.embedder.connection import START_DAEMON
from memory_mcp.provision import checks, code, installed, service, source, troubles
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
    assert (found.condition, f"torch 2.13.0 from {packages / 'torch'}" in found.detail) == (Condition.OK, True)
    stamp = versions.place / STAMP
    whole = stamp.read_text(encoding="utf-8")
    stamp.write_text(json.dumps(json.loads(whole) | {"code": "elsewhere"}), encoding="utf-8")
    assert _cause(versions).endswith("has the daemon's code from another place")
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
    assert seen.condition is Condition.OK


def _cause(versions: Versions) -> str:
    found = checks.interpreter(versions, SECONDS)
    assert (found.condition, found.fix) == (Condition.DEGRADED, f"memory-mcp daemon install --venv {versions.place}")
    return found.cause


def test_a_models_files_are_compared(versions: Versions) -> None:
    """Whole, damaged and missing."""
    weights = Built(versions.place).site_packages / "weights"
    digests = {"weights": hashlib.sha256(b"right").hexdigest()}
    conditions = []
    for content in (b"right", b"wrong", None):
        weights.write_bytes(content) if content else weights.unlink()
        found = checks.model(versions, digests, SECONDS)
        conditions.append((found.condition, "weights" in found.cause, "--force-reinstall" in found.fix))
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
                "launchd has the daemon registered but is not running it",
                "memory-mcp daemon start",
            ),
        ),
        (False, None, skipped("the daemon is not registered with launchd; memory-mcp daemon install registers it")),
    ],
)
def test_the_supervisor_is_asked(
    tmp_path: Path,
    registered: bool,  # noqa: FBT001 - a table's column
    running: int | None,
    expected: Finding,
) -> None:
    """It runs the job; it does not, and the fix starts it; it knows of none."""
    file = tmp_path / "job"
    if registered:
        file.touch()
    assert checks.service(lambda _: cast("Service", System(file, running)), SECONDS) == expected


def test_elsewhere_there_is_no_service() -> None:
    """Where nothing supervises the daemon, that is said and is no fault."""
    found = checks.service(lambda _: None, SECONDS)
    assert (found.condition, "this system has neither launchd nor systemd" in found.detail) == (Condition.SKIPPED, True)


OLDER = to_finding(pb.InfoResponse(wire_version=contract.WIRE_VERSION - 1))
"""What a client says of a daemon of an earlier version."""


def test_what_a_client_says_gets_the_commands_of_the_place(versions: Versions, tmp_path: Path) -> None:
    """An older daemon, one of moved files, one that failed, none: by hand or by the system, from any folder."""
    venv, file = f" --venv {versions.place}", tmp_path / "job"
    moved = pb.InfoResponse(
        state=pb.STATE_SERVING,
        wire_version=contract.WIRE_VERSION,
        versions={contract.OUTDATED_KEY: "torch is gone: run `memory-mcp daemon install`"},
    )
    findings = {
        f"daemon restart --no-service{venv}": OLDER,
        f"daemon install{venv}": to_finding(moved),
        f"daemon start --no-service{venv}": Finding(Condition.DEGRADED, "unreachable", "none listens", START_DAEMON),
    }
    for command, finding in findings.items():
        by_hand = troubles.fitted(finding, versions, None)
        assert f"`memory-mcp {command}`" in by_hand.fix
        assert re.findall("`memory-mcp daemon [a-z]+`", by_hand.cause + by_hand.fix) == []
        file.touch()
        by_system = troubles.fitted(finding, versions, cast("Service", System(file)))
        assert f"`memory-mcp {command.replace(' --no-service', '')}`" in by_system.fix
    failed = to_finding(pb.InfoResponse(state=pb.STATE_FAILED, cause="no model", wire_version=contract.WIRE_VERSION))
    assert "in the terminal that it was started from" in troubles.fitted(failed, versions, None).fix
    assert "`memory-mcp daemon logs`" in troubles.fitted(failed, versions, cast("Service", System(file))).fix
    assert troubles.fitted(findings[f"daemon install{venv}"], versions, None).cause.endswith(f"install{venv}`")


def test_what_restart_would_refuse_is_not_named(versions: Versions, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where this memory-mcp needs other packages, or nothing is installed, it is `install` whatever the client says."""
    monkeypatch.setattr(source, "checkout", lambda: None)
    unreachable = Finding(Condition.DEGRADED, "unreachable", "none listens", START_DAEMON)
    for place in (versions, Versions(versions.place.with_name("nowhere"))):
        install = f"memory-mcp daemon install --venv {place.place}"
        assert troubles.fitted(OLDER, place, None).fix.endswith(f"`{install}`")
        assert troubles.fitted(unreachable, place, None).fix == install
