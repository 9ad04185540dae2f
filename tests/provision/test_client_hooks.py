"""Our hooks among a client's: added once, brought up to date, taken out, and others' left as they are."""

from __future__ import annotations

import json
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

from memory_mcp import cli
from memory_mcp.domain.hooks import HOOK_EVENTS, HookEvent
from memory_mcp.provision.clients.entries import Launch
from memory_mcp.provision.clients.hooks import RULE, HooksEditor
from memory_mcp.provision.clients.machine import Machine
from memory_mcp.provision.clients.table import named
from memory_mcp.provision.errors import ProvisionError
from tests.e2e.conftest import FRONT

LAUNCH = Launch("/opt/my tools/memory-mcp", ("serve",))
FILES = {
    "claude-code": ".claude/settings.json",
    "codex": ".codex/hooks.json",
    "gemini-cli": ".gemini/settings.json",
    "cursor": ".cursor/hooks.json",
}
WRAPPED = {"type": "command", "command": "sh -c 'memory-mcp hook session-start --client codex | tee /tmp/x'"}
"""A hook of the user's own, around ours."""
OTHERS: dict[str, Any] = {
    "theme": "dark",
    "hooks": {
        "PreToolUse": [{"matcher": "Bash", "hooks": [{"type": "command", "command": "check"}]}],
        "SessionStart": [{"matcher": "startup", "hooks": [{"type": "command", "command": "greet"}, WRAPPED]}],
        "sessionStart": [{"command": "greet"}],
    },
}
every_client = pytest.mark.parametrize("client", list(HOOK_EVENTS))


def editor(client: str, home: Path) -> HooksEditor:
    """Return a client's editor on a machine of its own."""
    return HooksEditor(named(client), Machine("linux", home))


def apply(edit: HooksEditor, launch: Launch | None) -> bool:
    """Make the changes; say whether there were any."""
    changes = edit.uninstall() if launch is None else edit.install(launch)
    for change in changes:
        change.apply()
    return any(change.changes for change in changes)


def commands(client: str, document: dict[str, Any]) -> dict[str, list[str]]:
    """Return all commands, by the client's event."""
    found = {}
    for name in HOOK_EVENTS[client].values():
        groups = document["hooks"].get(name, [])
        hooks = groups if client == "cursor" else [hook for group in groups for hook in group["hooks"]]
        found[name] = [hook["command"] for hook in hooks]
    return {name: listed for name, listed in found.items() if listed}


@every_client
def test_a_fresh_file(client: str, tmp_path: Path) -> None:
    """It is where the client looks, runs us at both events, and is gone when we are out."""
    edit = editor(client, tmp_path)
    assert apply(edit, LAUNCH)
    assert edit.file.path == tmp_path / FILES[client]
    document = json.loads(edit.file.path.read_text())
    assert document.get("version") == (1 if client == "cursor" else None)
    found = commands(client, document)
    assert list(found) == list(HOOK_EVENTS[client].values())
    for event, name in HOOK_EVENTS[client].items():
        [command] = found[name]
        assert shlex.split(command) == ["/opt/my tools/memory-mcp", "hook", event, "--client", client]
    assert not apply(edit, LAUNCH)
    assert apply(edit, None)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert not apply(edit, None)


@every_client
def test_others_hooks_stay(client: str, tmp_path: Path) -> None:
    """Beside ours, in their order; without ours the file is what it was, byte for byte."""
    edit = editor(client, tmp_path)
    text = json.dumps(OTHERS, indent=4)
    edit.file.path.parent.mkdir(parents=True)
    edit.file.path.write_text(text)
    apply(edit, LAUNCH)
    document = json.loads(edit.file.path.read_text())
    assert document["theme"] == "dark"
    start = HOOK_EVENTS[client][HookEvent.SESSION_START]
    assert document["hooks"][start][:1] == OTHERS["hooks"][start]
    assert len(document["hooks"][start]) == 2
    assert document["hooks"]["PreToolUse"] == OTHERS["hooks"]["PreToolUse"]
    assert not apply(edit, LAUNCH)
    apply(edit, Launch("/elsewhere/memory-mcp", ("serve",), "auto"))
    found = commands(client, json.loads(edit.file.path.read_text()))[start]
    assert found[0] == "greet"
    assert found[-1] == f"/elsewhere/memory-mcp hook session-start --client {client} --namespace auto"
    assert found[1:-1] == ([] if client == "cursor" else [WRAPPED["command"]])
    apply(edit, None)
    assert edit.file.path.read_text() == text
    assert [path.name for path in edit.file.path.parent.iterdir() if path.is_file()] == [edit.file.path.name]


@every_client
def test_what_was_added_since_stays(client: str, tmp_path: Path) -> None:
    """Somebody's hook beside ours in one group, and a setting of the client's own."""
    edit = editor(client, tmp_path)
    apply(edit, LAUNCH)
    document = json.loads(edit.file.path.read_text())
    start = HOOK_EVENTS[client][HookEvent.SESSION_START]
    mine = {"type": "command", "command": "mine hook session-start"}
    groups = document["hooks"][start]
    (groups if client == "cursor" else groups[0]["hooks"]).append(mine)
    edit.file.path.write_text(json.dumps(document | {"added": True}))
    apply(edit, None)
    left = json.loads(edit.file.path.read_text())
    assert left["added"] is True
    assert commands(client, left) == {start: ["mine hook session-start"]}


@pytest.mark.parametrize("text", ["{", '{"hooks": 1}', '{"hooks": {"SessionStart": {}}}', "[]"])
def test_a_broken_file_is_left_alone(text: str, tmp_path: Path) -> None:
    """And named."""
    edit = editor("claude-code", tmp_path)
    edit.file.path.parent.mkdir()
    edit.file.path.write_text(text)
    with pytest.raises(ProvisionError, match=r"settings\.json is invalid"):
        edit.install(LAUNCH)
    assert edit.file.path.read_text() == text


def test_comments_are_not_lost(tmp_path: Path) -> None:
    """Gemini CLI allows them: beside the hooks they stay, among them nothing is changed."""
    edit = editor("gemini-cli", tmp_path)
    edit.file.path.parent.mkdir()
    edit.file.path.write_text('{\n  // mine\n  "theme": "dark",\n  "hooks": {"BeforeAgent": [{"command": "x"}]}\n}\n')
    apply(edit, LAUNCH)
    assert "// mine" in edit.file.path.read_text()
    text = '{"hooks": {"BeforeAgent": [ /* mine */ {"command": "x"}]}}'
    edit.file.path.write_text(text)
    with pytest.raises(ProvisionError, match=r"has comments among its hooks.*--print"):
        edit.install(LAUNCH)


def test_cursor_gets_a_rule(tmp_path: Path) -> None:
    """What the user made of it stays."""
    edit = editor("cursor", tmp_path)
    apply(edit, LAUNCH)
    assert edit.rule.path.read_text() == RULE
    edit.rule.path.write_text(RULE + "And be brief.\n")
    assert not apply(edit, LAUNCH)
    apply(edit, None)
    assert edit.rule.path.exists()


@every_client
def test_the_command_that_is_installed_runs(
    client: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`install --hooks` adds the server and the hooks, which answer with nothing where there is no store yet."""
    for name in ("XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "CLAUDE_CONFIG_DIR", "CODEX_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cli.run(["install", "--client", client, "--hooks", "--namespace", "auto", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["hooks"][0] == {"file": str(tmp_path / FILES[client]), "changes": True}
    for listed in commands(client, json.loads((tmp_path / FILES[client]).read_text())).values():
        [command] = listed
        assert command.startswith(str(FRONT))
        assert command.endswith(f"--client {client} --namespace auto")
        done = subprocess.run(command, shell=True, input=b"{}", capture_output=True, check=False)  # noqa: S602 - as clients do
        assert (done.returncode, done.stdout) == (0, b"")
    assert cli.run(["install", "--client", client, "--hooks", "--uninstall"]) == 0
    assert "removed our hooks" in capsys.readouterr().out
    left = tmp_path / FILES[client]  # Gemini's server stands in the same file, and stays
    assert left.exists() == (client == "gemini-cli")
    assert not left.exists() or json.loads(left.read_text()).keys() == {"mcpServers"}


def test_what_has_no_hooks_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    """A client without, and a server elsewhere."""
    assert cli.run(["install", "--client", "zed", "--hooks"]) == 2
    assert "has no hooks that we know; choose one of: claude-code" in capsys.readouterr().err
    assert cli.run(["install", "--client", "codex", "--hooks", "--http", "http://127.0.0.1:1/mcp"]) == 2
    assert "omit --http" in capsys.readouterr().err
