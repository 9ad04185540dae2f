"""The documents are true: their commands exist, their snippets parse, their settings are the program's."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from embedder_daemon.settings import DaemonSettings
from memory_mcp import cli
from memory_mcp.settings import Settings
from memory_mcp.tools import TOOLS

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    ROOT / name
    for name in ("README.md", "CONTRIBUTING.md", "launchd/README.md", "packaging/README.md", "systemd/README.md")
] + sorted((ROOT / "docs").rglob("*.md"))
FOREIGN = {
    *("brew", "claude", "export", "launchctl", "loginctl", "pip", "pipx", "ray", "serve", "uv"),
    *("createdb", "docker", "dropdb", "kubectl", "mkdir", "pg_restore", "psql"),
}
"""Programs that are not ours, but that a page tells to run."""
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    """Return the fenced blocks of a language."""
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def commands() -> list[tuple[str, str]]:
    """Return (document, command) for every line of a shell block and every `make` or `memory-mcp` in the text."""
    found = []
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        lines = [line.partition("#")[0].strip() for block in blocks(text, "sh") for line in block.splitlines()]
        inline = re.findall(r"`((?:make|memory-mcp|embedder-daemon) [^`]*)`", text)
        found += [(document.name, line) for line in [*lines, *inline] if line]
    return sorted(set(found))


@pytest.mark.parametrize(("document", "command"), commands())
def test_every_command_exists(document: str, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A make target is in the Makefile; a command of ours is known to its program; nothing else is told to be run."""
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)  # our command line replaces it
    program, *arguments = command.removeprefix(".venv/bin/").split()
    words = [word for word in arguments if re.fullmatch(r"[a-z][a-z-]*", word)]
    options = [word for word in arguments if word.startswith("--")]
    if program == "make":
        done = subprocess.run(["make", "-n", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    elif program == "memory-mcp":  # in this process, because there are many
        shown = CliRunner().invoke(cli.commands, [*words, "--help"])
        assert shown.exit_code == 0, shown.output
        assert [option for option in options if option not in shown.output] == []
    elif program == "embedder-daemon":
        script = Path(sys.executable).with_name(program)
        done = subprocess.run([script, *words, "--help"], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert [option for option in options if option not in done.stdout] == []
    elif program == "python":
        module, *paths = [word for word in arguments if not word.startswith("-")]
        assert importlib.util.find_spec(module) is not None
        assert [path for path in paths if "/" in path and not (ROOT / path).exists()] == []
    else:
        assert program in FOREIGN, command


def test_the_snippets_are_json() -> None:
    """What is to be pasted into a client parses, and starts `memory-mcp serve`."""
    servers = []
    for block in blocks(README, "json"):
        config = json.loads(block)
        servers += list((config.get("mcpServers") or config["servers"]).values())
    assert len(servers) == 2
    assert all(server["command"].endswith("/.venv/bin/memory-mcp") for server in servers)
    assert all(server["args"] == ["serve"] for server in servers)


def test_the_settings_table_is_true() -> None:
    """Every variable that the documents name is a setting, and the defaults in the table are the program's."""
    front = {f"MCP_MEMORY_{name.upper()}": field for name, field in Settings.model_fields.items()}
    daemon = {f"EMBEDDER_{name.upper()}": field for name, field in DaemonSettings.model_fields.items()}
    known = front.keys() | daemon.keys() | {"EMBEDDER_PYTHON", "MCP_MEMORY_CONFIG", "EMBEDDER_CONFIG"}
    for document in DOCUMENTS:
        named = set(re.findall(r"\b(?:MCP_MEMORY|EMBEDDER)_[A-Z_]*[A-Z]\b", document.read_text(encoding="utf-8")))
        assert named <= known, document
    for variable, default in re.findall(r"^\| `(\w+)` \| `?([\d.\w-]+)`?,? ?[^|]*\|", README, re.MULTILINE):
        field = (front | daemon).get(variable)
        if field is not None and field.default_factory is None and field.default is not None:
            assert str(field.default) == default, variable


def test_the_tools_table_is_complete() -> None:
    """The README lists the tools, all of them, in their order."""
    assert re.findall(r"^\| `(memory_\w+)` \|", README, re.MULTILINE) == [tool.name for tool in TOOLS]


def test_the_proofs_on_replicas_are_tests() -> None:
    """Each test that the page for Macs names is there."""
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "docs" / "macos.md").read_text(encoding="utf-8")))
    files = [file for place in ("provision", "front/documents") for file in (ROOT / "tests" / place).glob("test_*.py")]
    there = {name for file in files for name in re.findall(r"def (test_\w+)", file.read_text(encoding="utf-8"))}
    assert named
    assert named <= there


@pytest.mark.parametrize("document", ["CONTRIBUTING.md", "docs/architecture.md"])
def test_the_named_files_are_there(document: str) -> None:
    """Whoever follows a request through the code finds each file and folder that is named."""
    text = (ROOT / document).read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:[a-z_]+/)+(?:[a-z_]+\.\w+)?|[a-z_]+\.py)`", text))
    folders = [path for path in (ROOT / "memory_mcp").rglob("*/") if path.is_dir()]
    places = [ROOT, ROOT / "memory_mcp", ROOT / "embedder_daemon", *folders]
    assert len(named) > 10
    assert {name for name in named if not any((place / name).exists() for place in places)} == set()


def test_links_lead_somewhere() -> None:
    """Every relative link of a document is a file."""
    for document in DOCUMENTS:
        for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text(encoding="utf-8")):
            assert (document.parent / target).exists(), (document, target)
