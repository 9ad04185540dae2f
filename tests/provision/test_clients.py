from __future__ import annotations

import os
import stat
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest

from memory_mcp.domain.errors import SettingsError
from memory_mcp.provision.clients import Configured, configured, found
from memory_mcp.provision.clients.block import Block
from memory_mcp.provision.clients.entries import Launch, Remote, launch
from memory_mcp.provision.clients.json_text import JsonText
from memory_mcp.provision.clients.machine import Machine
from memory_mcp.provision.clients.plan import Editor
from memory_mcp.provision.clients.table import CLIENTS, Client, named
from memory_mcp.provision.clients.toml_text import TomlText
from memory_mcp.provision.errors import ProvisionError
from tests.provision.conftest import make_program
from tests.provision.machines import BROKEN, LAUNCH, NOTHING, SYSTEMS, editor, existing, write

URL = "http://127.0.0.1:8765/mcp"
PLACES = {
    "claude-desktop": (
        "Library/Application Support/Claude/claude_desktop_config.json",
        ".config/Claude/claude_desktop_config.json",
    ),
    "claude-code": (".claude.json", ".claude.json"),
    "cursor": (".cursor/mcp.json", ".cursor/mcp.json"),
    "vscode": ("Library/Application Support/Code/User/mcp.json", ".config/Code/User/mcp.json"),
    "windsurf": (".codeium/windsurf/mcp_config.json", ".codeium/windsurf/mcp_config.json"),
    "zed": (".config/zed/settings.json", ".config/zed/settings.json"),
    "codex": (".codex/config.toml", ".codex/config.toml"),
    "gemini-cli": (".gemini/settings.json", ".gemini/settings.json"),
    "continue": (".continue/mcpServers/memory.yaml", ".continue/mcpServers/memory.yaml"),
    "lm-studio": (".lmstudio/mcp.json", ".lmstudio/mcp.json"),
}

everywhere = pytest.mark.parametrize(
    ("client", "system"),
    [pytest.param(client, system, id=f"{client.name}-{system}") for client, system in product(CLIENTS, SYSTEMS)],
)
once = pytest.mark.parametrize("client", [pytest.param(client, id=client.name) for client in CLIENTS])
SHARED = [client for client in CLIENTS if not isinstance(client.format, Block)]
"""The clients whose file holds others beside us; Continue's is ours alone."""
beside_others = pytest.mark.parametrize("client", [pytest.param(client, id=client.name) for client in SHARED])


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Make a home folder with a space and letters beyond ASCII."""
    folder = tmp_path / "Zoë Müller"
    folder.mkdir()
    return folder


def entries(edit: Editor) -> dict[str, dict[str, object]]:
    """Read what the client would read."""
    return edit.entries(edit.file.path.read_text(encoding="utf-8"))


@everywhere
def test_the_file_is_where_the_client_looks(client: Client, system: str, home: Path) -> None:
    """Each client's file is at the place that its documentation names for the system."""
    assert editor(client, system, home).file.path == home / PLACES[client.name][SYSTEMS.index(system)]
    assert client.docs.startswith("https://")


@everywhere
def test_a_fresh_file(client: Client, system: str, home: Path) -> None:
    """Where there is no file, one is made for its owner alone that names us; a second run changes nothing."""
    edit = editor(client, system, home)
    edit.install(LAUNCH).apply()
    assert entries(edit)["memory"].items() >= client.stdio(LAUNCH).items()
    assert stat.S_IMODE(edit.file.path.stat().st_mode) == 0o600
    assert not edit.install(LAUNCH).changes
    edit.uninstall().apply()
    assert [path for path in home.rglob("*") if path.is_file()] == []


@beside_others
@pytest.mark.parametrize("system", SYSTEMS)
def test_a_file_with_others(client: Client, system: str, home: Path) -> None:
    """Comments, order, layout and mode of what is there stay; a copy is kept; taking us out gives the same bytes."""
    text = existing(client)
    edit = editor(client, system, home)
    write(edit.file.path, text).chmod(0o640)
    others = entries(edit)
    edit.install(LAUNCH).apply()
    assert entries(edit) == {**others, "memory": client.stdio(LAUNCH)}
    left = iter(edit.file.path.read_text(encoding="utf-8").splitlines())
    assert all(any(line.rstrip(",") in new for new in left) for line in text.splitlines())
    assert edit.file.backup.path.read_text(encoding="utf-8") == text
    assert stat.S_IMODE(edit.file.backup.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(edit.file.path.stat().st_mode) == 0o640
    assert not edit.install(LAUNCH).changes
    edit.uninstall().apply()
    assert edit.file.path.read_bytes() == text.encode()
    assert not edit.uninstall().changes


@beside_others
@pytest.mark.parametrize("kind", ["empty", "nothing"])
def test_a_file_without_servers(client: Client, kind: str, home: Path) -> None:
    """A file that is empty, or has no servers, is the same again when we are out, whatever was installed between."""
    edit = editor(client, "linux", home)
    before = "" if kind == "empty" else NOTHING[type(client.format)]
    write(edit.file.path, before)
    for namespace in ("one", "two", None):
        edit.install(Launch("/a/memory-mcp", ("serve",), namespace)).apply()
    assert entries(edit)["memory"]["env"] == {"MCP_MEMORY_NAMESPACE": "two"}
    edit.uninstall().apply()
    assert edit.file.path.read_text(encoding="utf-8") == before


BOM = "\ufeff"
BARE: dict[type, tuple[str, ...]] = {
    JsonText: (
        *(
            "",
            "\n",
            "null",
            " null\n",
            "{}",
            '{"SECTION": null}',
            '{\n\t"a": 1,\n\t"SECTION": null\n}\n',
            '{"a":[],"SECTION":null}',
        ),
        *(
            '{"SECTION": {"other": null}}',
            '{"SECTION": {"memory": null}}',
            '{"SECTION": {}}',
            '{\r\n  "SECTION": null\r\n}\r\n',
        ),
    ),
    TomlText: ("", "\n", "# mine\n", "[SECTION]\n", "SECTION = {}\n", 'model = "x"\r\n[SECTION]\r\n'),
    Block: ("", "\n", "null", "---\n", "mcpServers:\n", "mcpServers: null\n", "mcpServers: []", '{"mcpServers": null}'),
}
"""What names no server, as clients and their users leave it."""
COMMENTED_BARE = (
    "// mine",
    "/* mine */\n",
    "// a\nnull // b\n",
    '{ // a\n "SECTION": null, // b\n}\n',
    '{"SECTION": /* a */ null}',
)


@once
@pytest.mark.parametrize("mark", ["", BOM], ids=["plain", "marked"])
def test_a_file_that_names_no_server_in_whatever_way(client: Client, mark: str, home: Path) -> None:
    """Empty, null, and with a byte order mark, which stays: we get in, once, and the same bytes are back afterwards."""
    comments = isinstance(client.format, JsonText) and client.format.comments
    edit = editor(client, "linux", home)
    for text in (*BARE[type(client.format)], *(COMMENTED_BARE if comments else ())):
        before = mark + text.replace("SECTION", client.section)
        write(edit.file.path, before)
        assert "memory" not in entries(edit)
        edit.install(LAUNCH).apply()
        after = edit.file.path.read_bytes().decode()
        assert entries(edit)["memory"] == client.stdio(LAUNCH), repr(text)
        assert after.startswith(mark)
        assert BOM not in after.removeprefix(mark)
        assert all(word in after for word in ("// mine", "/* mine */", "// a", "// b", "/* a */") if word in text)
        assert not edit.install(LAUNCH).changes, repr(text)
        edit.uninstall().apply()
        assert edit.file.path.read_bytes().decode() == before, repr(text)


@beside_others
def test_a_marked_file_with_others(client: Client, home: Path) -> None:
    """The mark stays, what the file says stays, and what comes after us stays when we go."""
    edit = editor(client, "linux", home)
    write(edit.file.path, BOM + existing(client))
    others = entries(edit)
    edit.install(LAUNCH).apply()
    edit.file.backup.path.unlink()
    edit.uninstall().apply()
    assert entries(edit) == others
    assert edit.file.path.read_bytes().decode().startswith(BOM)


@beside_others
def test_what_came_after_us_stays(client: Client, home: Path) -> None:
    """When the file was changed since, only our entry is taken out, and the state before that is kept beside it."""
    text = existing(client)
    edit = editor(client, "linux", home)
    write(edit.file.path, text)
    edit.install(LAUNCH).apply()
    with_us = edit.file.path.read_text(encoding="utf-8")
    write(edit.file.path, changed := with_us.replace('"npx"', '"bunx"'))
    edit.uninstall().apply()
    assert edit.file.path.read_text(encoding="utf-8") == text.replace('"npx"', '"bunx"')
    assert edit.file.backup.path.read_text(encoding="utf-8") == changed


@once
def test_what_the_user_added_to_our_entry_stays(client: Client, home: Path) -> None:
    """Installing again, after an upgrade that moved us, keeps a setting and a switch that the user added."""
    edit = editor(client, "linux", home)
    mine = client.stdio(LAUNCH) | {"disabled": True, "env": {"MCP_MEMORY_LOG_LEVEL": "debug"}}
    write(edit.file.path, client.format.put("", client.section, "memory", mine))
    edit.install(Launch("/new/memory-mcp", ("serve",))).apply()
    assert entries(edit)["memory"] == {**mine, "command": "/new/memory-mcp"}


def test_what_cannot_be_edited_is_named(home: Path) -> None:
    """A comment where the client reads none, YAML of somebody else's and a pipe: each is told as what it is."""
    cursor, block, zed = (editor(named(name), "linux", home) for name in ("cursor", "continue", "zed"))
    write(cursor.file.path, '{\n  // mine\n  "mcpServers": {}\n}\n')
    write(block.file.path, "name: mine\nversion: 1.0.0\n")
    zed.file.path.parent.mkdir(parents=True)
    os.mkfifo(zed.file.path)
    for edit, told in (
        (cursor, "line 2: it has a comment, which its client does not accept"),
        (block, r"memory\.yaml was not written by memory-mcp; choose another name for ours with --name"),
        (zed, "is a pipe, a socket or a device"),
    ):
        with pytest.raises(ProvisionError, match=told):
            edit.install(LAUNCH)


def test_comments_in_our_entry_stay_when_we_have_moved(home: Path) -> None:
    """Only the value that differs is written anew."""
    edit = editor(named("zed"), "linux", home)
    edit.install(LAUNCH).apply()
    text = edit.file.path.read_text(encoding="utf-8").replace('"command":', '/* mine */ "command" :')
    write(edit.file.path, text)
    edit.install(replace(LAUNCH, command="/new/memory-mcp")).apply()
    assert edit.file.path.read_text(encoding="utf-8") == text.replace(LAUNCH.command, "/new/memory-mcp")


@everywhere
def test_a_broken_file_is_left_alone(client: Client, system: str, home: Path) -> None:
    """A file that its own client could not read is refused with the line, and not touched."""
    edit = editor(client, system, home)
    write(edit.file.path, BROKEN[type(client.format)])
    with pytest.raises(ProvisionError, match=r"is invalid \(.*line [23].*left unchanged"):
        edit.install(LAUNCH)
    with pytest.raises(ProvisionError, match=r"is invalid \(.*line [23].*left unchanged"):
        edit.uninstall()
    assert edit.file.path.read_text(encoding="utf-8") == BROKEN[type(client.format)]
    assert not edit.file.backup.path.exists()


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("cursor", '{"mcpServers": []}', "mcpServers is not a table of servers"),
        ("cursor", '{"mcpServers": {"memory": 1}}', "mcpServers.memory is not a table"),
        ("cursor", "[]", "it is not an object"),
        ("cursor", '{"a": 1} // mine', "line 1: it has a comment, which"),
        ("cursor", '{"a": NaN}', "NaN is not JSON"),
        ("cursor", '{"mcpServers": {},\n"mcpServers": {}}', "line 2: mcpServers appears twice"),
        ("zed", '{"a": 1,, }', "line 1"),
        ("zed", '{"a": 1 /* never closed }', "line 1"),
        ("codex", "mcp_servers = 1", "mcp_servers is not a table of servers"),
        ("cursor", '{"mcpServers": {"memory": {"command": "npx"}}}', "another server named memory"),
        ("codex", '[mcp_servers.memory]\nurl = "https://elsewhere/mcp"', "another server named memory"),
    ],
)
def test_what_is_not_ours_to_edit(name: str, text: str, problem: str, home: Path) -> None:
    """What is not a table of servers, what depends on the reader, and another server of our name are refused."""
    edit = editor(named(name), "linux", home)
    write(edit.file.path, text)
    with pytest.raises(ProvisionError, match=problem):
        edit.install(LAUNCH)
    assert edit.file.path.read_text(encoding="utf-8") == text


def test_a_file_that_is_no_utf8_is_left_alone(home: Path) -> None:
    """Bytes that are no text are refused by the file's name."""
    edit = editor(named("cursor"), "linux", home)
    write(edit.file.path, "").write_bytes(b'{"a": "\xff"}')
    with pytest.raises(ProvisionError, match=r"mcp\.json is not UTF-8"):
        edit.install(LAUNCH)


@everywhere
def test_a_plan_changes_nothing(client: Client, system: str, home: Path) -> None:
    """A plan shows itself as a unified diff and writes nothing before it is applied."""
    edit = editor(client, system, home)
    text = None if isinstance(client.format, Block) else existing(client)
    if text is not None:
        write(edit.file.path, text)
    before = {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}
    diff = edit.install(LAUNCH).diff()
    assert diff.startswith(f"--- {'/dev/null' if text is None else edit.file.path}\n+++ {edit.file.path}\n")
    assert any(line.startswith("+") and "größe 1/bin/memory-mcp" in line for line in diff.splitlines())
    assert {path: path.read_bytes() for path in home.rglob("*") if path.is_file()} == before


@once
def test_an_address_instead_of_a_command(client: Client, home: Path) -> None:
    """A client that can call an address gets it with a place for the token, never the token; others are refused."""
    edit = editor(client, "linux", home)
    if client.http is None:
        with pytest.raises(SettingsError, match="only starts servers itself and cannot call an address"):
            edit.install(Remote(URL))
        return
    edit.install(LAUNCH).apply()
    edit.install(Remote(URL)).apply()
    entry = entries(edit)["memory"]
    assert URL in entry.values()
    assert "MEMORY_MCP_TOKEN" in str(entry)
    assert not {"command", "args", "env"} & entry.keys()
    assert not edit.install(Remote(URL)).changes


def test_a_token_that_was_written_stays(home: Path) -> None:
    """A token that the user has put in its place is kept by installing again, and the address says that it is ours."""
    edit = editor(named("zed"), "linux", home)
    edit.install(Remote(URL)).apply()
    text = edit.file.path.read_text(encoding="utf-8").replace("MEMORY_MCP_TOKEN", "mm_secret")
    write(edit.file.path, text)
    assert not edit.install(Remote(URL)).changes
    with pytest.raises(ProvisionError, match="another server named memory"):
        edit.uninstall()
    edit.uninstall(Remote(URL)).apply()
    assert not edit.file.path.exists()


@pytest.mark.parametrize(
    "url", ["127.0.0.1:8765/mcp", "http://127.0.0.1:8765", "ftp://a/mcp", "http://u:p@a", "http://[a/mcp"]
)
def test_only_whole_addresses(url: str) -> None:
    """An address without its scheme or path, or with a secret in it, is refused."""
    with pytest.raises(SettingsError, match="--http: "):
        Remote(url)


def test_a_link_stays_a_link(home: Path) -> None:
    """A file that is a link into a folder of dotfiles is edited where it is, and the link stays."""
    edit = editor(named("cursor"), "linux", home)
    target = write(home / "dotfiles" / "cursor.json", "{}")
    edit.file.path.parent.mkdir()
    edit.file.path.symlink_to(target)
    edit.install(LAUNCH).apply()
    assert edit.file.path.is_symlink()
    assert "memory-mcp" in target.read_text(encoding="utf-8")
    assert [path.name for path in target.parent.iterdir()] == ["cursor.json"]


def test_a_file_that_changes_meanwhile_is_not_overwritten(home: Path) -> None:
    """What a running client wrote after the plan was made is not lost."""
    edit = editor(named("claude-code"), "linux", home)
    write(edit.file.path, "{}")
    change = edit.install(LAUNCH)
    write(edit.file.path, '{"numStartups": 2}')
    with pytest.raises(ProvisionError, match="has changed in the meantime"):
        change.apply()
    assert edit.file.path.read_text(encoding="utf-8") == '{"numStartups": 2}'
    assert sorted(path.name for path in home.iterdir()) == [".claude.json", ".claude.json.before-memory-mcp"]


def test_a_folder_that_cannot_be_written(home: Path) -> None:
    """A failure to write is told by the file's name."""
    (home / ".cursor").write_text("a file in the folder's place", encoding="utf-8")
    with pytest.raises(ProvisionError, match=r"mcp\.json cannot be"):
        editor(named("cursor"), "linux", home).install(LAUNCH).apply()


def test_folders_that_were_moved(home: Path) -> None:
    """The variables of the system and of the clients that move their folders are heeded."""
    moved = {"XDG_CONFIG_HOME": home / "xdg", "CODEX_HOME": home / "cx", "CLAUDE_CONFIG_DIR": home / "cc"}
    machine = Machine("linux", home, moved)
    places = {name: named(name).path(machine, "memory") for name in ("zed", "codex", "claude-code")}
    assert places == {
        "zed": home / "xdg" / "zed" / "settings.json",
        "codex": home / "cx" / "config.toml",
        "claude-code": home / "cc" / ".claude.json",
    }


def test_an_older_lm_studio_is_found_where_it_was(home: Path) -> None:
    """LM Studio's former folder is taken where there is no other."""
    (home / ".cache" / "lm-studio").mkdir(parents=True)
    assert editor(named("lm-studio"), "linux", home).file.path == home / ".cache" / "lm-studio" / "mcp.json"


def test_another_system_is_refused(home: Path) -> None:
    """Where no client's files are known, the sentence says so."""
    with pytest.raises(SettingsError, match="supported on macOS and Linux only"):
        named("cursor").path(Machine("win32", home), "memory")
    assert found(Machine("win32", home)) == []


def test_which_clients_are_here(home: Path) -> None:
    """A client is found by its folder or by its file; a home folder alone is no trace of Claude Code."""
    machine = Machine("linux", home)
    assert found(machine) == []
    (home / ".claude").mkdir()
    (home / ".config" / "zed").mkdir(parents=True)
    write(home / ".codex" / "config.toml", "")
    assert [client.name for client in found(machine)] == ["claude-code", "zed", "codex"]


def test_what_is_configured(home: Path) -> None:
    """Each entry of ours is listed with its command and whether that is there, and so is a broken file."""
    machine = Machine("linux", home)
    program = make_program(home / "bin" / "memory-mcp", "#!/bin/sh\n")
    Editor(named("zed"), machine, "memory").install(Launch(str(program), ("serve",))).apply()
    Editor(named("codex"), machine, "other").install(Launch("/gone/memory-mcp", ("serve",))).apply()
    Editor(named("gemini-cli"), machine, "memory").install(Remote(URL)).apply()
    write(home / ".cursor" / "mcp.json", '{"mcpServers": {"memory": {"command": "npx", "args": ["x"]}}}')
    broken = write(home / ".lmstudio" / "mcp.json", "{")
    zed, codex, gemini, studio = configured(machine)
    assert zed == Configured("zed", home / ".config" / "zed" / "settings.json", "memory", program)
    assert (codex.name, codex.command, codex.runs) == ("other", Path("/gone/memory-mcp"), False)
    assert (gemini.command, gemini.address, gemini.runs) == (None, URL, True)
    assert (studio.file, studio.name) == (broken, "")
    assert "line 1" in str(studio.problem)


def test_we_are_started_by_an_absolute_path(tmp_path: Path) -> None:
    """The command is the program beside the interpreter, as its environment names it, or the interpreter itself."""
    assert launch("work").command == str(Path(launch().command).absolute())
    python = tmp_path / "bin" / "python"
    assert launch(python=python) == Launch(str(python), ("-P", "-m", "memory_mcp", "serve"))
    program = make_program(tmp_path / "bin" / "memory-mcp", "")
    assert launch(python=python) == Launch(str(program), ("serve",))


def test_a_path_that_vanishes_is_refused(tmp_path: Path) -> None:
    """What `uvx` runs from a cache is gone one day, so that it is not written anywhere."""
    with pytest.raises(ProvisionError, match="temporary cache"):
        launch(python=tmp_path / ".cache" / "uv" / "archive-v0" / "bin" / "python")
