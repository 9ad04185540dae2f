from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from memory_mcp.provision import models
from memory_mcp.provision.errors import ProvisionError
from memory_mcp.provision.versions import Environment

ENVIRONMENT = Environment(Path("/env"))


@dataclass
class Hub:
    """Knows models by name, on this disk and elsewhere, as the daemon's interpreter tells of them."""

    here: dict[str, str] = field(default_factory=dict)
    there: dict[str, str] = field(default_factory=dict)
    commands: list[tuple[str, ...]] = field(default_factory=list)

    def output(self, *command: str) -> str:
        """Answer where a model is."""
        assert command[:-1] == ("/env/bin/python", "-I", "-m", "embedder_daemon.pin")
        if command[-1] not in self.here:
            raise ProvisionError(f"the model {command[-1]} is not there")
        return f"{self.here[command[-1]]}\n"

    def stream(self, *command: str) -> None:
        """Download one."""
        self.commands.append(command)
        words = list(command)
        name = words[words.index("download") + 1]
        revision = words[words.index("--revision") + 1] if "--revision" in words else ""
        wanted = f"{name}@{revision}" if revision else name
        if wanted not in self.there:
            raise ProvisionError("no network")
        self.here[wanted] = self.there[wanted]


def test_what_is_on_this_disk_is_not_asked_for() -> None:
    """A model that is there is pinned, and the hub is not contacted."""
    hub = Hub(here={"owner/model": "/cache/1", "/own": "/own"})
    said: list[str] = []
    chosen = {models.VARIABLE: "owner/model", "EMBEDDER_ENGINE": "torch"}
    pinned = models.pinned(ENVIRONMENT, chosen, hub, said.append)
    assert pinned == {models.VARIABLE: "/cache/1", "EMBEDDER_ENGINE": "torch"}
    assert said == ["the model owner/model is /cache/1 from now on, whatever the hub says later"]
    assert models.pinned(ENVIRONMENT, {models.VARIABLE: "/own"}, hub, said.append) == {models.VARIABLE: "/own"}
    assert models.pinned(ENVIRONMENT, {}, hub, said.append) == {}
    assert hub.commands == []
    assert len(said) == 1


def test_what_is_not_is_downloaded_once_at_its_revision() -> None:
    """The hub's own program brings it, without the formats that nobody reads."""
    hub = Hub(there={"owner/model@v1": "/cache/2"})
    pinned = models.pinned(ENVIRONMENT, {models.VARIABLE: "owner/model@v1"}, hub, lambda _: None)
    assert pinned == {models.VARIABLE: "/cache/2"}
    (command,) = hub.commands
    assert command[3:8] == ("huggingface_hub.cli.hf", "download", "owner/model", "--revision", "v1")
    assert "onnx/*" in command


def test_what_cannot_be_had_is_told() -> None:
    """A folder that is not there is no reason to go to the hub; a hub that does not answer is the reason."""
    hub = Hub()
    with pytest.raises(ProvisionError, match="not there"):
        models.pinned(ENVIRONMENT, {models.VARIABLE: "/nowhere/model"}, hub, lambda _: None)
    assert hub.commands == []
    with pytest.raises(ProvisionError, match="owner/model cannot be downloaded"):
        models.pinned(ENVIRONMENT, {models.VARIABLE: "owner/model"}, hub, lambda _: None)
