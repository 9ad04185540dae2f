"""`memory-mcp config`: values, where they come from, and names that are no settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from embedder_daemon.settings import DaemonSettings
from memory_mcp.settings import Settings
from tests.e2e.conftest import Command


@pytest.fixture
def files(environment: dict[str, str], folder: Path) -> tuple[Path, Path]:
    """Make a file of each program, and name it in the environment."""
    front, daemon = folder / "config.toml", folder / "embedder.toml"
    front.write_text('namespace = "work"\nembed_budget_s = 2\nbreaker_window = 20\nEMBEDDER_PYTHON = "/opt/python"\n')
    daemon.write_text("threads = 2\n")
    environment |= {"MCP_MEMORY_CONFIG": str(front), "EMBEDDER_CONFIG": str(daemon), "EMBEDDER_CACHE_MB": "8"}
    return front, daemon


@pytest.mark.usefixtures("files")
async def test_every_setting_says_where_its_value_comes_from(command: Command, environment: dict[str, str]) -> None:
    """The stronger source wins: default, file, environment, command line."""
    environment["MCP_MEMORY_EMBED_BUDGET_S"] = "3"
    told = await command("--set", "MCP_MEMORY_BREAKER_WINDOW=30", "config", "--json")
    assert (told.code, told.err, told.data["unknown"]) == (0, "", [])
    ours, daemons = ({each["name"]: each for each in told.data[part]} for part in ("settings", "daemon"))
    assert (len(ours), len(daemons)) == (len(Settings.model_fields), len(DaemonSettings.model_fields))
    assert all(each["sentence"] for each in (*ours.values(), *daemons.values()))
    values = {name: (each["value"], each["origin"], each["unit"]) for name, each in (ours | daemons).items()}
    assert values["MCP_MEMORY_NAMESPACE"] == ("work", "file", "")
    assert values["MCP_MEMORY_EMBED_BUDGET_S"] == (3.0, "environment", "seconds")
    assert values["MCP_MEMORY_BREAKER_WINDOW"] == (30, "command line", "calls")
    assert values["MCP_MEMORY_BULK_BUDGET_S"] == (20.0, "default", "seconds")
    assert values["EMBEDDER_PYTHON"] == ("/opt/python", "file", "")
    assert values["EMBEDDER_THREADS"] == (2, "file", "threads")
    assert values["EMBEDDER_CACHE_MB"] == (8, "environment", "MiB")


async def test_names_that_are_no_settings_are_reported(
    command: Command, environment: dict[str, str], files: tuple[Path, Path]
) -> None:
    """With the nearest real ones; those in the file, with which nothing else starts, with exit code 2."""
    environment |= {"MCP_MEMORY_NAMSPACE": "x", "EMBEDDER_MODLE": "x"}
    told = await command("config")
    assert told.code == 0
    assert told.err.splitlines() == [
        f"reading the settings from {files[0]}",
        f"reading the daemon's settings from {files[1]}",
        "memory-mcp: MCP_MEMORY_NAMSPACE is not a setting, did you mean MCP_MEMORY_NAMESPACE?",
        "memory-mcp: EMBEDDER_MODLE is not a setting, did you mean EMBEDDER_MODEL?",
    ]
    files[0].write_text('namspace = "x"\nlog_level = "debug"\n')
    told = await command("config")
    assert told.code == 2
    assert f"memory-mcp: {files[0]}: namspace is not a setting, did you mean namespace?\n" in told.err
    assert "MCP_MEMORY_LOG_LEVEL\tdebug\tfile\t" in told.out
    assert (await command("list")).code == 2


async def test_a_daemon_that_cannot_be_asked_is_told(command: Command, files: tuple[Path, Path]) -> None:
    """Its own sentence stands where its settings would be."""
    files[1].write_text("threads = -1\n")
    told = await command("config", "--json")
    assert (told.code, told.data["daemon"]) == (0, [])
    assert [sentence for sentence in told.data["unknown"] if "threads" in sentence] == told.data["unknown"] != []


async def test_a_value_that_does_not_fit_is_named(command: Command, files: tuple[Path, Path]) -> None:
    """As every command names it."""
    files[0].write_text("breaker_window = 0\n")
    told = await command("config")
    assert (told.code, told.out) == (2, "")
    assert "MCP_MEMORY_BREAKER_WINDOW: Input should be greater than or equal to 1" in told.err
