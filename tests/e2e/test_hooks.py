"""`memory-mcp hook`: what clients' sessions are told, on time, or nothing."""

from __future__ import annotations

import asyncio
import json
import os
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import pytest

from memory_mcp import settings
from memory_mcp.app import opened
from memory_mcp.domain.models import NewMemory, Stored
from tests.e2e.client import PATIENCE_S
from tests.e2e.conftest import FRONT, Command
from tests.fakes.daemon import FakeDaemon

KEY = "the boat key hangs behind the kitchen clock"
UNHURRIED = {"MCP_MEMORY_HOOK_START_MS": "60000", "MCP_MEMORY_HOOK_PROMPT_MS": "60000"}
"""For tests of what is shown, on machines that do much else."""
OTHERS = (
    "paint the hull before May",
    "the dentist is on Friday at nine",
    "Anna's birthday is in June",
    "the invoice of the electrician is not paid",
    "our wifi password is on the fridge",
)
Json = dict[str, Any]


class Hooks:
    """Runs hooks as a client does."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.state = folder / ".local" / "state" / "memory-mcp" / "hooks"
        self._folder = folder
        self.environment = environment | UNHURRIED

    def run(self, event: str, client: str = "claude-code", *words: str, given: bytes | None = None, **told: Any) -> str:
        """Run one; it ends with 0, whatever happens. Return what it prints."""
        about = {"session_id": "s-1", "cwd": str(self._folder), "source": "startup"} | told
        done = subprocess.run(
            [str(FRONT), "hook", event, "--client", client, *words],
            env=self.environment,
            input=json.dumps(about).encode() if given is None else given,
            capture_output=True,
            check=False,
            timeout=PATIENCE_S,
        )
        assert done.returncode == 0
        return done.stdout.decode()

    def text(self, event: str, client: str = "claude-code", *words: str, **told: Any) -> str:
        """Run one and return what the model is told; empty if it is nothing."""
        printed = self.run(event, client, *words, **told)
        if not printed:
            return ""
        text: str = json.loads(printed)["hookSpecificOutput"]["additionalContext"]
        return text

    def log(self) -> list[Json]:
        """Return what the hooks' log holds."""
        return [json.loads(line) for line in (self.state / "hooks.log").read_text().splitlines()]


@pytest.fixture
def hooks(folder: Path, environment: dict[str, str]) -> Hooks:
    """Run hooks with this folder's store."""
    return Hooks(folder, environment)


@pytest.fixture
def remember(folder: Path) -> Callable[..., str]:
    """Store memories without a daemon."""

    def run(*contents: str, namespace: str = "default", kind: str = "note", **fields: Any) -> str:
        async def store() -> str:
            loaded = settings.load(sqlite_path=folder / "memory.db", embedder_address=f"unix:{folder}/nobody.sock")
            async with opened(loaded) as services:
                news = [NewMemory(content, namespace, type=kind, **fields) for content in contents]
                stored = await services.memories.store_many(news, _unheard)
            assert isinstance(stored[-1], Stored)
            return stored[-1].id

        return asyncio.run(store())

    return run


async def _unheard(_done: int) -> None:
    """Ignore progress."""


def test_a_session_is_told_what_it_should_know(hooks: Hooks, remember: Callable[..., str]) -> None:
    """What is pinned, open tasks, decisions and facts, and the last session; tasks that are done are not."""
    assert hooks.run("session-start") == ""  # there is no store yet, and none is created
    remember(KEY, tags=("pinned",))
    remember("paint the hull", kind="task")
    remember("buy a rope", kind="task", metadata={"status": "done"})
    remember("we moor in the north harbour", kind="decision")
    text = hooks.text("session-start")
    places = [text.index(each) for each in (KEY, "paint the hull", "we moor in the north harbour")]
    assert places == sorted(places)
    assert "not instructions" in text.splitlines()[0]
    assert [entry["outcome"] for entry in hooks.log()] == ["nothing", "shown"]


@pytest.mark.parametrize(
    ("client", "event", "name"),
    [
        ("claude-code", "session-start", "SessionStart"),
        ("claude-code", "prompt-submit", "UserPromptSubmit"),
        ("codex", "session-start", "SessionStart"),
        ("codex", "prompt-submit", "UserPromptSubmit"),
        ("gemini-cli", "session-start", "SessionStart"),
        ("gemini-cli", "prompt-submit", "BeforeAgent"),
    ],
)
def test_the_answer_has_the_clients_form(
    hooks: Hooks, remember: Callable[..., str], client: str, event: str, name: str
) -> None:
    """One JSON object with the keys that the client knows, and no other: Codex refuses them."""
    remember(KEY, tags=("pinned",))
    answer = json.loads(hooks.run(event, client, prompt="where is the boat key?"))
    assert answer.keys() == {"hookSpecificOutput"}
    assert answer["hookSpecificOutput"].keys() == {"hookEventName", "additionalContext"}
    assert answer["hookSpecificOutput"]["hookEventName"] == name
    assert KEY in answer["hookSpecificOutput"]["additionalContext"]


def test_cursors_form(hooks: Hooks, remember: Callable[..., str]) -> None:
    """It names the session and the folder otherwise, and so the text."""
    remember(KEY, tags=("pinned",))
    answer = json.loads(hooks.run("session-start", "cursor", session_id=None, conversation_id="c", cwd=None))
    assert answer.keys() == {"additional_context"}
    assert KEY in answer["additional_context"]


def test_a_prompt_gets_what_fits_it(hooks: Hooks, remember: Callable[..., str]) -> None:
    """And nothing where nothing does, or where the client's own command was given."""
    remember(KEY, *OTHERS)
    text = hooks.text("prompt-submit", prompt="where is the boat key?")
    assert KEY in text
    assert "dentist" not in text
    for prompt in ("what is the capital of France?", "", "   ", "/clear", "\ud800"):
        assert hooks.run("prompt-submit", prompt=prompt) == ""


def test_nothing_is_shown_twice(hooks: Hooks, remember: Callable[..., str]) -> None:
    """Until the session's context begins anew; other sessions do not matter."""
    remember(*OTHERS, conversation_id="earlier")
    remember(KEY, tags=("pinned",), conversation_id="last")
    asked: Json = {"prompt": "where is the boat key?"}
    assert KEY in hooks.text("prompt-submit", **asked)
    assert hooks.run("prompt-submit", **asked) == ""
    assert hooks.run("session-start", source="resume") == ""
    assert KEY in hooks.text("prompt-submit", session_id="../../s-2", **asked)
    for source in ("compact", "clear", "startup"):
        assert KEY in hooks.text("session-start", source=source)
        assert hooks.run("prompt-submit", **asked) == ""
    remember("the spare boat key lies in the shed", conversation_id="new")
    assert "shed" in hooks.text("prompt-submit", **asked)
    files = list(hooks.state.glob("*.json"))
    assert len(files) == 2
    assert {stat.S_IMODE(path.stat().st_mode) for path in hooks.state.iterdir()} == {0o600}
    assert all(KEY not in path.read_text() for path in hooks.state.iterdir())
    for path in files:
        os.utime(path, (0, 0))
    hooks.run("session-start", session_id="s-3")
    assert [path for path in files if path.exists()] == []


def test_only_the_projects_memories_are_shown(hooks: Hooks, remember: Callable[..., str], folder: Path) -> None:
    """With the namespace `auto` those of the folder that the client names, and not the default's."""
    (folder / "boat" / ".git").mkdir(parents=True)
    (folder / "boat" / ".git" / "HEAD").touch()
    (folder / "boat" / ".git" / "config").write_text('[remote "origin"]\nurl = git@host.example:me/boat\n')
    remember(*OTHERS, KEY, namespace="host.example/me/boat")
    remember("I like tea", "the key to happiness is tea", tags=("pinned",))
    told = {"cwd": str(folder / "boat"), "prompt": "where is the boat key?"}
    for event in ("session-start", "prompt-submit"):
        text = hooks.text(event, "claude-code", "--namespace", "auto", **told | {"session_id": event})
        assert KEY in text
        assert "tea" not in text
    assert "tea" in hooks.text("session-start", **told)


@pytest.mark.parametrize(("event", "most"), [("session-start", 4_000), ("prompt-submit", 2_000)])
def test_it_prints_few_characters(hooks: Hooks, remember: Callable[..., str], event: str, most: int) -> None:
    """Whatever is stored: quotes, which JSON escapes, Chinese, and no blanks."""
    for filling in ('"\\', "船の鍵は時計の後ろ", "x" * 999):
        remember(*(f"boat key {number} {filling * 60}" for number in range(30)), tags=("pinned",))
    printed = hooks.run(event, prompt="boat key")
    assert 0 < len(printed) <= most


@pytest.mark.parametrize(
    "given",
    [
        b"",
        b"{",
        b"[1]",
        b"\xff\xfe",
        b'{"session_id": 7, "cwd": ["x"], "prompt": {"a": 1}, "source": null}',
        b"[" * 9_999,
    ],
)
@pytest.mark.parametrize("event", ["session-start", "prompt-submit"])
def test_no_input_makes_it_fail(hooks: Hooks, remember: Callable[..., str], event: str, given: bytes) -> None:
    """It ends with 0; what it could not read is in the log."""
    remember("hello there")
    printed = hooks.run(event, given=given)
    assert printed == "" or json.loads(printed)
    [entry] = hooks.log()
    assert entry["outcome"] == "failed" if given[:1] not in {b"", b"{"} else True


async def test_what_went_wrong_is_in_the_log_and_in_doctor(hooks: Hooks, folder: Path, command: Command) -> None:
    """A file that is no store, wrong settings, words that are no hook: doctor names the cause of what failed last."""
    (folder / "memory.db").write_bytes(b"not a database" * 100)
    assert hooks.run("session-start") == ""
    doctor = (await command("doctor", "--json", "--seconds", "1")).data["checks"]["hooks"]
    assert doctor["condition"] == "degraded"
    assert "session-start of claude-code" in doctor["cause"]
    assert "memory.db" in doctor["cause"]
    hooks.environment["MCP_MEMORY_HOOK_START_CHARS"] = "many"
    assert hooks.run("session-start") == ""
    assert "MCP_MEMORY_HOOK_START_CHARS" in hooks.log()[-1]["cause"]
    for words in (["nonsense"], ["session-start"], ["session-start", "--client", "nobody"]):
        done = await command("hook", *words)
        assert (done.code, done.out) == (0, "")
        assert "usage: memory-mcp hook" in done.err
    assert "session-start" in (await command("hook", "--help")).out


def test_a_client_that_keeps_stdin_open_is_not_held_up(hooks: Hooks) -> None:
    """The hook ends by itself, and says in the log that it was late."""
    hooks.environment["MCP_MEMORY_HOOK_PROMPT_MS"] = "250"
    with subprocess.Popen(
        [str(FRONT), "hook", "prompt-submit", "--client", "codex"],
        env=hooks.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.wait(PATIENCE_S) == 0
        assert process.stdout is not None
        assert process.stdout.read() == b""
    assert "not done in time" in hooks.log()[-1]["cause"]


def test_a_locked_store_is_not_waited_for(hooks: Hooks, remember: Callable[..., str], folder: Path) -> None:
    """Nothing is printed; the log says why."""
    remember(KEY, tags=("pinned",))
    db = apsw.Connection(str(folder / "memory.db"))
    db.pragma("locking_mode", "EXCLUSIVE")
    db.execute("BEGIN EXCLUSIVE")
    for event in ("session-start", "prompt-submit"):
        assert hooks.run(event, prompt="boat key") == ""
        assert hooks.log()[-1]["outcome"] == "failed"
    db.close()


async def test_a_daemon_that_hangs_costs_its_vectors(
    hooks: Hooks, daemon: FakeDaemon, remember: Callable[..., str]
) -> None:
    """Words find what they find within the time; without time for that, nothing is printed."""
    await asyncio.to_thread(remember, KEY)
    await daemon.change(hang=True)
    hooks.environment["MCP_MEMORY_HOOK_PROMPT_MS"] = "8000"
    assert KEY in await asyncio.to_thread(hooks.text, "prompt-submit", prompt="where is the boat key?")
    assert daemon.requests


@pytest.mark.parametrize("config", ["", "x = " + "[" * 100_000])
def test_a_hook_never_fails_its_session(hooks: Hooks, folder: Path, config: str) -> None:
    """Neither does a client that has closed stderr, nor a configuration that nobody can read."""
    file = folder / "config.toml"
    file.write_text(config)
    hooks.environment |= {"MCP_MEMORY_CONFIG": str(file)}
    for closing in ("2>&-", "2>/dev/full", ""):
        command = f"echo nonsense | '{FRONT}' hook session-start --client claude-code {closing}"
        done = subprocess.run(["sh", "-c", command], env=hooks.environment, check=False, timeout=PATIENCE_S)
        assert done.returncode == 0


def test_a_hook_ends_though_it_can_tell_nobody_that_it_is_late(hooks: Hooks) -> None:
    """Its stdin stays open, its stderr is closed."""
    hooks.environment |= {"MCP_MEMORY_HOOK_PROMPT_MS": "50"}
    command = ["sh", "-c", f"exec '{FRONT}' hook prompt-submit --client codex 2>&-"]
    with subprocess.Popen(command, env=hooks.environment, stdin=subprocess.PIPE) as process:
        assert process.wait(PATIENCE_S) == 0


def test_a_server_that_hangs_costs_its_own_part(hooks: Hooks, remember: Callable[..., str], folder: Path) -> None:
    """The memories are shown on time, and nothing of it is left running."""
    remember(KEY, tags=("pinned",))
    alive = folder / "alive"
    os.mkfifo(alive)
    script = f"exec 3<>'{alive}'; exec sleep 1000"
    file = folder / "config.toml"
    file.write_text(
        f'[sources.h]\nkind = "mcp"\ncommand = "/bin/sh"\nargs = ["-c", "{script}"]\ntool = "x"\ntimeout_ms = 500\n'
    )
    more = {"MCP_MEMORY_HOOK_SOURCES": "1", "MCP_MEMORY_CONFIG": str(file)}
    hooks.environment |= more
    assert KEY in hooks.text("session-start")
    with pytest.raises(OSError, match="No such device"):  # nobody holds its other end
        os.open(alive, os.O_WRONLY | os.O_NONBLOCK)


def test_both_ways_to_write_an_option(hooks: Hooks, remember: Callable[..., str]) -> None:
    """With a space and with an equals sign."""
    remember(KEY, tags=("pinned",))
    command = [str(FRONT), "hook", "session-start", "--client=codex", "--namespace=default"]
    done = subprocess.run(command, env=hooks.environment, input=b"{}", capture_output=True, check=False)
    assert KEY in done.stdout.decode()


def test_a_record_that_is_none_counts_as_empty(hooks: Hooks, remember: Callable[..., str]) -> None:
    """What it cannot tell is shown again."""
    remember(KEY, tags=("pinned",))
    assert KEY in hooks.text("session-start")
    (record,) = hooks.state.glob("*.json")
    for content in ("5", "[5]", "[[1]]", "[[1, 2]]"):
        record.write_text(content)
        assert KEY in hooks.text("session-start", source="resume")
