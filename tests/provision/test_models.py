from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from memory_mcp.provision import models
from memory_mcp.provision.errors import ProvisionError
from memory_mcp.provision.process import Hear
from memory_mcp.provision.progress import Lines
from memory_mcp.provision.versions import Environment

NOTHING: Mapping[str, str] = {}
ENVIRONMENT = Environment(Path("/env"))


@dataclass
class Hub:
    """Knows models by name, on this disk and elsewhere, as the daemon's interpreter tells of them."""

    here: dict[str, str] = field(default_factory=dict)
    there: dict[str, str] = field(default_factory=dict)
    commands: list[tuple[str, ...]] = field(default_factory=list)

    def output(self, *command: str, variables: Mapping[str, str] = NOTHING) -> str:
        """Answer where a model is."""
        assert command[:-1] == ("/env/bin/python", "-I", "-m", "embedder_daemon.resolve_model")
        if command[-1] not in self.here:
            raise ProvisionError(f"the model {command[-1]} is not there")
        return f"{self.here[command[-1]]}\n"

    def stream(self, *command: str) -> None:
        """Start nothing."""

    def record(self, *command: str, log: Path, hear: Hear, variables: Mapping[str, str] = NOTHING) -> str:
        """Download one."""
        self.commands.append(command)
        words = list(command)
        name = words[words.index("download") + 1]
        revision = words[words.index("--revision") + 1] if "--revision" in words else ""
        wanted = f"{name}@{revision}" if revision else name
        if wanted not in self.there:
            raise ProvisionError("no network")
        self.here[wanted] = self.there[wanted]
        return ""


def pinned(hub: Hub, chosen: dict[str, str], said: list[str] | None = None) -> dict[str, str]:
    """Pin what was chosen."""
    progress = Lines((said if said is not None else []).append)
    return models.Hub(ENVIRONMENT, hub, progress, Path("/log")).pinned(chosen)


def test_what_is_on_this_disk_is_not_asked_for() -> None:
    """A model that is there is pinned, and the hub is not contacted."""
    hub = Hub(here={"owner/model": "/cache/1", "/own": "/own"})
    said: list[str] = []
    chosen = {models.VARIABLE: "owner/model", "EMBEDDER_ENGINE": "torch"}
    assert pinned(hub, chosen, said) == {models.VARIABLE: "/cache/1", "EMBEDDER_ENGINE": "torch"}
    assert said == ["the model owner/model is pinned to /cache/1; later changes on the hub do not affect it"]
    assert pinned(hub, {models.VARIABLE: "/own"}, said) == {models.VARIABLE: "/own"}
    assert pinned(hub, {}, said) == {}
    assert hub.commands == []
    assert len(said) == 1


def test_what_is_not_is_downloaded_once_at_its_revision() -> None:
    """The hub's own program brings it, without the formats that nobody reads."""
    hub = Hub(there={"owner/model@v1": "/cache/2"})
    assert pinned(hub, {models.VARIABLE: "owner/model@v1"}) == {models.VARIABLE: "/cache/2"}
    (command,) = hub.commands
    assert command[3:8] == ("huggingface_hub.cli.hf", "download", "owner/model", "--revision", "v1")
    assert "onnx/*" in command


def test_what_cannot_be_had_is_told() -> None:
    """A folder that is not there is no reason to go to the hub; a hub that does not answer is the reason."""
    hub = Hub()
    with pytest.raises(ProvisionError, match="not there"):
        pinned(hub, {models.VARIABLE: "/nowhere/model"})
    assert hub.commands == []
    with pytest.raises(ProvisionError, match="owner/model cannot be downloaded"):
        pinned(hub, {models.VARIABLE: "owner/model"})
