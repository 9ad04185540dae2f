"""Secrets of sections, from the environment and the keychain."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Iterator

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked

from memory_mcp.domain.sources import SourceError, SourceQuery
from memory_mcp.sources.secrets import filler, masked
from tests.front.sources.conftest import configured

NOTHING: dict[str, str] = {}


class MemoryKeyring(KeyringBackend):
    """A keychain of one process."""

    priority = 1

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # the library's
        self.secrets = {("memory-mcp", "wiki"): "s3cret"}
        self.is_locked = False

    def get_password(self, service: str, username: str) -> str | None:
        """Return a secret."""
        if self.is_locked:
            raise KeyringLocked("secret details")
        return self.secrets.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        """Keep a secret."""
        self.secrets[service, username] = password


@pytest.fixture
def keychain() -> Iterator[MemoryKeyring]:
    """Put a keychain in the system's place."""
    before, made = keyring.get_keyring(), MemoryKeyring()
    keyring.set_keyring(made)
    yield made
    keyring.set_keyring(before)


def test_secrets_take_the_place_of_their_names(keychain: MemoryKeyring) -> None:
    """Several in one text; what they hold is not filled again."""
    fill = filler({"KEY": "${keychain:wiki}"}.get)
    assert fill("a ${env:KEY} b ${keychain:wiki} c") == "a ${keychain:wiki} b s3cret c"
    assert masked("https://x/?key=${env:KEY}") == "https://x/?key=***"


@pytest.mark.parametrize(
    ("text", "cause", "fix"),
    [
        ("${env:NONE}", "the environment variable NONE is not set", "set NONE"),
        ("${keychain:none}", "the keychain has no secret none", "keyring set memory-mcp none"),
        ("${file:x}", "names no place", "${env:NAME}"),
    ],
)
def test_a_secret_that_is_not_there_is_named(keychain: MemoryKeyring, text: str, cause: str, fix: str) -> None:
    """With what puts it there."""
    with pytest.raises(SourceError) as failed:
        filler(NOTHING.get)(text)
    assert cause in str(failed.value)
    assert fix in failed.value.fix


def test_a_keychain_that_cannot_be_read_is_named(keychain: MemoryKeyring, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is locked, or the package is not there."""
    keychain.is_locked = True
    with pytest.raises(SourceError, match=r"cannot be read \(KeyringLocked\)"):
        filler(NOTHING.get)("${keychain:wiki}")
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(SourceError, match="not installed") as failed:
        filler(NOTHING.get)("${keychain:wiki}")
    assert "memory-mcp[keychain]" in failed.value.fix


@pytest.mark.parametrize(
    "section",
    [
        {"kind": "http", "url": "http://127.0.0.1:9/${env:KEY}"},
        {"kind": "mcp", "command": "no-such-program", "env": {"KEY": "${env:KEY}"}},
        {"kind": "mcp", "url": "http://127.0.0.1:9/${env:KEY}"},
        {"kind": "chroma", "url": "http://127.0.0.1:9/${env:KEY}", "collections": "notes"},
        {"kind": "sql", "url": "postgresql://reader:${env:KEY}@127.0.0.1:9/crm", "statement": "SELECT :query AS text"},
    ],
    ids=lambda section: f"{section['kind']} {section.get('url', '')[:5]}",
)
async def test_a_keychain_that_waits_for_the_user_blocks_its_own_question_alone(section: dict[str, object]) -> None:
    """It is asked in a thread: the loop goes on, and so does the deadline."""
    unlocked, asked = threading.Event(), threading.Event()

    def wait(name: str) -> str:
        asked.set()
        assert unlocked.wait(60)
        return "secret"

    sources = configured({"wiki": section | {"timeout_ms": 30_000}}, read_variable=wait)
    asking = asyncio.create_task(sources.all()[0].ask(SourceQuery("boat", 1)))
    loop = asyncio.get_running_loop()
    assert await loop.run_in_executor(None, asked.wait, 20)
    assert not asking.done()
    unlocked.set()
    with pytest.raises(SourceError):
        await asking
    await sources.close()
