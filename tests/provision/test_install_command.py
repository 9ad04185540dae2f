from __future__ import annotations

import json
import os
import pty
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from mcp import Client, StdioServerParameters

from memory_mcp import cli
from tests.provision.machines import write

PROGRAM = Path(sys.executable).with_name("memory-mcp")


@pytest.fixture
def home() -> Iterator[Path]:
    """Make a home folder with a space and letters beyond ASCII, whose path is short enough for a socket."""
    folder = Path(tempfile.mkdtemp(prefix="mm-", dir="/tmp"))
    (folder / "Zoë Müller").mkdir()
    yield folder / "Zoë Müller"
    shutil.rmtree(folder, ignore_errors=True)


def bare(home: Path, **more: str) -> dict[str, str]:
    """Return an environment that holds nothing of this machine's user."""
    measuring = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}
    return measuring | {"HOME": str(home), "PATH": "/usr/bin:/bin"} | more


@dataclass(frozen=True)
class Done:
    """What a run ended with."""

    code: int
    out: str
    err: str


@pytest.fixture
def install(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """Run `memory-mcp install` where nobody can be asked, in a home folder of its own."""
    for name in os.environ:
        if name.startswith(("MCP_MEMORY_", "EMBEDDER_", "XDG_", "CODEX_", "CLAUDE_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)  # run() replaces it

    def run(*arguments: str) -> Done:
        code = cli.run(["install", *arguments])
        shown = capsys.readouterr()
        return Done(code, shown.out, shown.err)

    return run


def on_a_terminal(home: Path, answers: list[tuple[str, str]], *arguments: str) -> tuple[int, str]:
    """Run it on a terminal of its own and answer each question; return the exit code and what was shown."""
    ours, theirs = pty.openpty()
    environment = bare(home, MCP_MEMORY_USE_HOMEBREW_PYTORCH="1")  # there is none, so that `daemon install` says so
    process = subprocess.Popen(
        [str(PROGRAM), "install", *arguments], env=environment, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    shown = ""
    for question, answer in [*answers, ("", "")]:
        while not question or question not in shown:
            try:
                shown += os.read(ours, 4096).decode()
            except OSError:  # Linux tells the end so
                break
        if question:
            assert question in shown
            os.write(ours, f"{answer}\n".encode())
    os.close(ours)
    return process.wait(timeout=60), shown


async def test_from_an_empty_home_to_a_memory(home: Path, install: Callable[..., Done]) -> None:
    """What is written into the client's file is all that a client needs to start us, without any environment."""
    done = install("--client", "claude-desktop", "--namespace", "work")
    assert (done.code, done.err) == (0, "")
    assert "run `memory-mcp daemon install`" in done.out
    file = next(home.rglob("claude_desktop_config.json"))
    entry = json.loads(file.read_text(encoding="utf-8"))["mcpServers"]["memory"]
    variables = [f"HOME={home}", *(f"{name}={value}" for name, value in entry["env"].items())]
    server = StdioServerParameters(command="env", args=["-i", *variables, entry["command"], *entry["args"]])
    async with Client(server, read_timeout_seconds=20) as client:
        stored = await client.call_tool("memory_store", {"content": "Anna prefers tea."})
        listed = await client.call_tool("memory_list", {"namespace": "work"})
    assert not stored.is_error
    assert listed.structured_content is not None
    assert listed.structured_content["total"] == 1


def test_nobody_to_ask(home: Path, install: Callable[..., Done]) -> None:
    """Without a client's name, and without a terminal, it is wrong usage, and the sentence names what is here."""
    (home / ".cursor").mkdir()
    done = install()
    assert (done.code, done.out) == (2, "")
    assert done.err == "memory-mcp: --client is required; found on this machine: cursor\n"


def test_a_terminal_is_asked(home: Path) -> None:
    """On a terminal the clients are shown, the only one is offered, and so is the daemon, which a yes installs."""
    (home / ".cursor").mkdir()
    code, shown = on_a_terminal(home, [("which client", ""), ("install it now?", "y")])
    assert "found on this machine: cursor" in shown
    assert "memory" in json.loads((home / ".cursor" / "mcp.json").read_text(encoding="utf-8"))["mcpServers"]
    assert "Homebrew" in shown  # `daemon install` looked for it
    assert code == 1


def test_a_no_installs_no_daemon(home: Path) -> None:
    """Who wants no daemon is done."""
    code, shown = on_a_terminal(home, [("install it now?", "n")], "--client", "codex")
    assert (code, "Homebrew" in shown) == (0, False)


def test_where_a_daemon_listens_none_is_offered(
    home: Path, install: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A daemon that listens at the address of the settings is enough; so is a server elsewhere, which has its own."""
    monkeypatch.setenv("MCP_MEMORY_EMBEDDER_ADDRESS", f"unix:{home}/e.sock")
    assert "daemon install" in install("--client", "cursor").out
    assert "daemon install" not in install("--client", "zed", "--http", "http://127.0.0.1:8765/mcp").out
    with closing(socket.socket(socket.AF_UNIX)) as daemon:
        daemon.bind(f"{home}/e.sock")
        daemon.listen()
        assert "daemon install" not in install("--client", "cursor").out


def test_print_dry_run_install_again_and_uninstall(home: Path, install: Callable[..., Done]) -> None:
    """Each says what it did; the first two change nothing, and the last leaves what was there."""
    file = write(home / ".codex" / "config.toml", 'model = "gpt"\n')
    printed = install("--client", "codex", "--print")
    assert printed.out == f'[mcp_servers.memory]\ncommand = "{PROGRAM}"\nargs = ["serve"]\n'
    assert str(file) in printed.err
    dry = install("--client", "codex", "--dry-run")
    assert dry.out.startswith(f"--- {file}\n+++ {file}\n@@ ")
    assert "\n+[mcp_servers.memory]\n" in dry.out
    assert file.read_text(encoding="utf-8") == 'model = "gpt"\n'
    assert "config.toml.before-memory-mcp" in install("--client", "codex").out
    assert "nothing was changed" in install("--client", "codex").out
    with_us = file.read_text(encoding="utf-8")
    assert "\n-[mcp_servers.memory]\n" in install("--client", "codex", "--uninstall", "--dry-run").out
    assert file.read_text(encoding="utf-8") == with_us
    assert "removed memory from" in install("--client", "codex", "--uninstall").out
    assert file.read_text(encoding="utf-8") == 'model = "gpt"\n'
    assert "nothing was changed" in install("--client", "codex", "--uninstall").out


def test_a_program_is_told_the_same(home: Path, install: Callable[..., Done]) -> None:
    """With --json: what would change, what did, and where the copy of what was there is; nothing is asked."""
    file = write(home / ".codex" / "config.toml", 'model = "gpt"\n')
    dry, done, again = (
        json.loads(install("--client", "codex", "--json", *more).out) for more in (["--dry-run"], [], ["--uninstall"])
    )
    assert (dry["changes"], dry["kept"], "+[mcp_servers.memory]" in dry["diff"]) == (True, None, True)
    assert (done["file"], done["changes"], done["diff"]) == (str(file), True, None)
    assert Path(done["kept"]).name == "config.toml.before-memory-mcp"
    assert (again["changes"], file.read_text(encoding="utf-8")) == (True, 'model = "gpt"\n')
    assert install("--json").code == 2


def test_http_tells_where_the_token_goes(home: Path, install: Callable[..., Done]) -> None:
    """An address is written without a token; the answer says how to make one, and where the client looks for it."""
    printed = install("--client", "continue", "--http", "http://127.0.0.1:8765/mcp", "--print")
    assert f"write MEMORY_MCP_TOKEN=… into {home}/.continue/.env" in printed.err
    done = install("--client", "continue", "--http", "http://127.0.0.1:8765/mcp")
    assert done.code == 0
    assert "no token was written; `memory-mcp token create continue` makes one" in done.out
    assert f"write MEMORY_MCP_TOKEN=… into {home}/.continue/.env" in done.out


def test_wrong_usage(home: Path, install: Callable[..., Done]) -> None:
    """What excludes each other, what no client understands and what is no name is refused in one line."""
    wrong = {
        ("--http", "http://a/mcp", "--namespace", "x"): "over HTTP the token decides",
        ("--http", "a:8765"): "is not a complete address",
        ("--print", "--uninstall"): "cannot be combined",
        ("--name", "../x"): "give letters, digits, - and _",
    }
    for arguments, sentence in wrong.items():
        done = install("--client", "cursor", *arguments)
        assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
        assert sentence in done.err
    assert list(home.iterdir()) == []
