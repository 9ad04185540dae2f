"""Paths in settings: one file wherever a client starts us, or after the handshake a sentence with the variable."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.client import RawClient, ToolError
from tests.e2e.conftest import FRONT, Command
from tests.e2e.test_tools import NAMES

REFUSED = [
    (":memory:", "is not a file, so nothing stored there would be kept"),
    ("", "'' is empty"),
    ("   ", "begins or ends with a space"),
    ("file:/tmp/m.db", "is a URI"),
    ("file::memory:?cache=shared", "is a URI"),
    ("m.db", "is relative"),
    ("./m.db", "is relative"),
    ("../m.db", "is relative"),
    ("-", "is relative"),
    ("C:\\data\\m.db", "is relative"),
    ('"/data/m.db"', "is relative"),
    ("$UNSET/m.db", "uses the variable 'UNSET', which is not set"),
    ("/data/${UNSET}/m.db", "uses the variable 'UNSET', which is not set"),
    ("%APPDATA%/m.db", "uses the variable 'APPDATA', which is not set"),
    ("${EMPTY}/m.db", "uses the variable 'EMPTY', which is not set"),
    ("$RELATIVE/m.db", "is relative"),
    ("~no-such-user/m.db", "names a user who has no home folder here"),
    ("~~/m.db", "names a user who has no home folder here"),
    ("/data/m.db ", "begins or ends with a space"),
    ("/data/m\n.db", "contains a control character"),
    ("%HOME%\\m.db", "contains a backslash"),
    ("/data\\m.db", "contains a backslash"),
    ("/data/", "is a folder; name a file in it, such as /data/memory.db"),
]
ACCEPTED = [
    ("~/m.db", "m.db"),
    ("$HOME/m.db", "m.db"),
    ("${HOME}/sub folder/m.db", "sub folder/m.db"),
    ("%HOME%/m.db", "m.db"),
    ("$HOME/100%/a%20b.db", "100%/a%20b.db"),
    ("$TILDE/m.db", "m.db"),
    ("$HOME/a/../m.db", "a/../m.db"),
    ("$HOME/caf\u00e9 $.db", "caf\u00e9 $.db"),
]
OTHERS = ("MCP_MEMORY_BACKUP_FOLDER", "MCP_MEMORY_TOKENS_PATH", "MCP_MEMORY_CONFIG")


@pytest.fixture(autouse=True)
def more(environment: dict[str, str]) -> None:
    """Set what the paths are made of."""
    environment.update(EMPTY="", RELATIVE="data", TILDE="~")


@pytest.mark.parametrize(("path", "problem"), REFUSED)
async def test_a_path_that_means_no_file_is_refused(
    command: Command, environment: dict[str, str], path: str, problem: str
) -> None:
    """By the name of its variable, with what would be accepted, before anything is made."""
    environment["MCP_MEMORY_SQLITE_PATH"] = path
    ended = await command("store", "lost")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("memory-mcp: MCP_MEMORY_SQLITE_PATH: ")
    assert problem in " ".join(ended.err.split())
    assert "give an absolute path" in ended.err or "name a file" in ended.err


@pytest.mark.parametrize(("path", "file"), ACCEPTED)
async def test_a_path_means_one_file_in_every_folder(
    environment: dict[str, str], folder: Path, path: str, file: str
) -> None:
    """Two fronts that are started in two folders have one store, and it is where the variables say."""
    environment["MCP_MEMORY_SQLITE_PATH"] = path
    for name in ("one", "two"):
        started = folder / "started" / name
        started.mkdir(parents=True)
        client = RawClient([str(FRONT), "serve"], environment, folder=started)
        await client.initialize()
        await client.tool("memory_store", content=f"stored by {name}")
        health = await client.tool("memory_health")
        await client.end()
        assert str(folder / file) in health["store"]["detail"]
        assert list(started.iterdir()) == []
    assert (folder / file).is_file()


@pytest.mark.parametrize("path", [":memory:", "m.db", "~no-such-user/m.db", "$UNSET/m.db", "", "/data/m.db "])
async def test_the_handshake_survives_a_wrong_path(start: Callable[..., RawClient], folder: Path, path: str) -> None:
    """The tools are listed, every call answers the sentence, health and resources too; nothing is acknowledged."""
    client = start(folder / "log", MCP_MEMORY_SQLITE_PATH=path)
    assert "result" in await client.initialize()
    assert [tool["name"] for tool in (await client.request("tools/list"))["result"]["tools"]] == NAMES
    for name, arguments in (("memory_store", {"content": "lost"}), ("memory_list", {}), ("memory_get", {"id": "x"})):
        with pytest.raises(ToolError, match=r"MCP_MEMORY_SQLITE_PATH: .* give an absolute path"):
            await client.tool(name, **arguments)
    health = await client.tool("memory_health")
    assert (health["status"], health["store"]["state"]) == ("failed", "unusable")
    assert health["settings"] == health["store"]
    assert "MCP_MEMORY_SQLITE_PATH: " in health["store"]["cause"]
    refused = await client.request("resources/read", {"uri": "memory://stats"})
    assert "MCP_MEMORY_SQLITE_PATH: " in refused["error"]["message"]
    assert (await client.request("resources/list"))["result"]["resources"] != []
    assert await client.end() == 2
    assert "MCP_MEMORY_SQLITE_PATH: " in (folder / "log").read_text()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MCP_MEMORY_BREAKER_WINDOW", "none"),
        ("MCP_MEMORY_EMBEDDER_ADDRESS", "tcp:1"),
        ("MCP_MEMORY_CONFIG", "/no/such/file.toml"),
        ("MCP_MEMORY_NAMESPACE", "x" * 200),
    ],
)
async def test_the_handshake_survives_any_wrong_setting(start: Callable[..., RawClient], name: str, value: str) -> None:
    """Paths are not the only ones that may be wrong."""
    client = start(**{name: value})
    assert "result" in await client.initialize()
    with pytest.raises(ToolError, match=f"{name}: "):
        await client.tool("memory_list")
    assert f"{name}: " in (await client.tool("memory_health"))["store"]["cause"]


async def test_a_folder_is_no_store(start: Callable[..., RawClient], folder: Path) -> None:
    """A path that is right and names a folder that is there is refused by the store."""
    client = start(MCP_MEMORY_SQLITE_PATH=str(folder))
    await client.initialize()
    with pytest.raises(ToolError, match=f"{folder} is a folder; name a file in it, such as {folder}/memory.db"):
        await client.tool("memory_store", content="lost")
    assert "is a folder" in (await client.tool("memory_health"))["store"]["cause"]


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("path", ["data/x", "$UNSET/x", "/data/x "])
async def test_every_path_is_held_to_it(command: Command, environment: dict[str, str], name: str, path: str) -> None:
    """Backups, tokens and the file of the settings themselves are not looked for in the working folder either."""
    environment[name] = path
    ended = await command("list")
    assert (ended.code, ended.err.startswith(f"memory-mcp: {name}: ")) == (2, True), ended.err
    checks = (await command("doctor", "--json")).data["checks"]
    assert (checks["settings"]["condition"], name in checks["settings"]["cause"]) == ("failed", True)


@pytest.mark.parametrize("address", ["unix:e.sock", "unix:$UNSET/e.sock", "unix:~no-such-user/e.sock", "unix:"])
async def test_the_daemons_socket_is_held_to_it(command: Command, environment: dict[str, str], address: str) -> None:
    """What follows `unix:` is a path as well."""
    environment["MCP_MEMORY_EMBEDDER_ADDRESS"] = address
    ended = await command("list")
    assert (ended.code, ended.err.startswith("memory-mcp: MCP_MEMORY_EMBEDDER_ADDRESS: ")) == (2, True), ended.err


async def test_a_socket_in_the_home_is_found(command: Command, environment: dict[str, str], folder: Path) -> None:
    """Variables and ~ mean there what they mean other_store."""
    for address in ("unix:~/e.sock", "unix:$HOME/e.sock"):
        environment["MCP_MEMORY_EMBEDDER_ADDRESS"] = address
        assert f"no daemon listens on unix:{folder}/e.sock" in (await command("search", "x")).err


async def test_file_and_command_line_are_held_to_it(
    command: Command, environment: dict[str, str], folder: Path
) -> None:
    """config.toml and --set are read like the environment, and the sentence says where to look."""
    del environment["MCP_MEMORY_SQLITE_PATH"]
    ended = await command("--set", "sqlite_path=m.db", "list")
    assert (ended.code, "is relative" in ended.err, "on the command line" in ended.err) == (2, True, True)
    config = folder / "config.toml"
    environment["MCP_MEMORY_CONFIG"] = "$HOME/config.toml"
    for value, problem in (("m.db", "is relative"), ("/data/m\\u0000.db", "contains a control character")):
        config.write_text(f'sqlite_path = "{value}"\n')
        ended = await command("list")
        assert (ended.code, problem in ended.err, str(config) in ended.err) == (2, True, True)
    config.write_text('sqlite_path = "~/from file.db"\n')
    assert (await command("store", "kept")).code == 3
    assert (folder / "from file.db").is_file()


async def test_the_path_in_use_is_shown(command: Command, environment: dict[str, str], folder: Path) -> None:
    """Doctor and config tell the absolute one, whatever it was made of, before the store is there and after."""
    environment["MCP_MEMORY_SQLITE_PATH"] = "$HOME/data/m.db"
    wanted = str(folder / "data" / "m.db")
    for _ in range(2):
        assert wanted in (await command("doctor", "--json")).data["checks"]["store"]["detail"]
        settings = (await command("config", "--json")).data["settings"]
        assert [each["value"] for each in settings if each["name"] == "MCP_MEMORY_SQLITE_PATH"] == [wanted]
        await command("store", "kept")


async def test_an_empty_home_is_none(command: Command, environment: dict[str, str]) -> None:
    """The system's own home of the user stands for it: neither `/` nor the working folder."""
    home = str(Path(pwd.getpwuid(os.getuid()).pw_dir))
    environment.update(HOME="", MCP_MEMORY_SQLITE_PATH="~/no such folder/m.db")
    settings = {each["name"]: each["value"] for each in (await command("config", "--json")).data["settings"]}
    assert settings["MCP_MEMORY_SQLITE_PATH"] == f"{home}/no such folder/m.db"
    assert settings["MCP_MEMORY_TOKENS_PATH"].startswith(home)


async def test_a_folder_is_no_file_of_tokens(command: Command, environment: dict[str, str]) -> None:
    """What is suggested is a file of tokens."""
    environment["MCP_MEMORY_TOKENS_PATH"] = "/x/"
    assert "such as /x/tokens.json" in (await command("token", "list")).err


@pytest.mark.parametrize("named_by", ["variable", "default"])
async def test_a_link_stands_for_its_target(
    start: Callable[..., RawClient], command: Command, environment: dict[str, str], folder: Path, named_by: str
) -> None:
    """Whoever reads sees what is in the log beside the target; nothing lies beside the link, whatever is done."""
    target, link = folder / "disk" / "real.db", folder / "data" / "memory-mcp" / "memory.db"
    link.parent.mkdir(parents=True)
    link.symlink_to("../../disk/real.db")
    environment["MCP_MEMORY_SQLITE_PATH"] = str(link)
    if named_by == "default":
        del environment["MCP_MEMORY_SQLITE_PATH"]
        environment["XDG_DATA_HOME"] = str(folder / "data")
    writer = start(XDG_DATA_HOME=str(folder / "data"))
    await writer.initialize()
    await writer.tool("memory_store", content="in the log", id="first")
    assert (target.exists(), target.with_name("real.db-wal").exists()) == (True, True)
    reader = start(MCP_MEMORY_READ_ONLY="1")
    await reader.initialize()
    assert (await reader.tool("memory_list"))["total"] == 1
    assert str(target) in (await command("doctor", "--json")).data["checks"]["store"]["detail"]
    assert (await command("backup")).code == 0
    await writer.tool("memory_store", content="later", id="second")
    [copy] = (target.parent / "backups").iterdir()
    copied = folder / "copy"
    copied.symlink_to(copy)
    assert (await command("restore", str(copied))).code == 0
    assert (await command("list", "--json")).data["total"] == 1
    assert (link.is_symlink(), [path.name for path in link.parent.iterdir()]) == (True, ["memory.db"])


async def test_a_link_to_the_tokens_stays_one(command: Command, environment: dict[str, str], folder: Path) -> None:
    """The target is written."""
    (folder / "tokens.json").symlink_to(folder / "real.json")
    environment["MCP_MEMORY_TOKENS_PATH"] = str(folder / "tokens.json")
    assert (await command("token", "create", "me")).code == 0
    assert ((folder / "tokens.json").is_symlink(), (folder / "real.json").is_file()) == (True, True)


@pytest.mark.parametrize("name", ["$HOME", "${USER}", "%PATH%", "$no-such"])
def test_a_home_that_looks_like_a_variable_is_a_home(folder: Path, environment: dict[str, str], name: str) -> None:
    """The default address is where both programs look, taken literally; nobody wrote it as a setting."""
    del environment["MCP_MEMORY_EMBEDDER_ADDRESS"]
    home = folder / name
    home.mkdir()
    done = subprocess.run(
        [str(FRONT), "config", "--json"], env=environment | {"HOME": str(home)}, capture_output=True, check=True
    )
    parts = json.loads(done.stdout)
    told = {each["name"]: each["value"] for each in parts["settings"] + parts["daemon"]}
    assert told["MCP_MEMORY_EMBEDDER_ADDRESS"] == told["EMBEDDER_ADDRESS"]
    assert str(home) in told["EMBEDDER_ADDRESS"]
