"""Where the keys of a store are kept, and how often a person may be asked for them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked

from memory_mcp.domain.errors import LockedError, StoreError
from memory_mcp.storage.keys import AGAIN_S, MOST_KEYS, KeyPlace, RememberedKeys, new_key, remembered
from memory_mcp.storage.sqlite.maintenance.encrypting import Encryption
from tests.fakes.clock import FakeClock


class CountingKeyring(KeyringBackend):
    """A keychain of one process, which counts how often it was asked."""

    priority = 1.0

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # the library's
        self.held: dict[tuple[str, str], str] = {}
        self.asked = 0
        self.is_locked = False
        self.most = 10_000
        """Characters that it keeps."""

    def get_password(self, service: str, username: str) -> str | None:
        self.asked += 1
        if self.is_locked:
            raise KeyringLocked
        return self.held.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.held[service, username] = password[: self.most]

    def delete_password(self, service: str, username: str) -> None:
        del self.held[service, username]


@pytest.fixture
def keychain() -> Iterator[CountingKeyring]:
    """Put a keychain in the system's place."""
    before, made = keyring.get_keyring(), CountingKeyring()
    keyring.set_keyring(made)
    yield made
    keyring.set_keyring(before)


def test_each_store_has_its_own_key_in_the_keychain(keychain: CountingKeyring, tmp_path: Path) -> None:
    """Two stores of one person do not share it."""
    for name in ("a.db", "b.db"):
        place = KeyPlace(tmp_path / name)
        assert Encryption(place.store, tmp_path / "backups", place).encrypt(lambda _: None) == []
        assert len(place.load()) == 1
    assert len(set(keychain.held.values())) == 2
    assert {service for service, _ in keychain.held} == {"memory-mcp"}


def test_a_keychain_that_cuts_what_it_keeps_loses_no_key(keychain: CountingKeyring, tmp_path: Path) -> None:
    """The key that was there is put back."""
    place = KeyPlace(tmp_path / "m.db")
    place.save([first := new_key()])
    keychain.most = 100
    with pytest.raises(StoreError, match="nothing was changed"):
        place.save([new_key(), first])
    assert place.load() == (first,)


def test_all_parts_of_a_process_share_what_is_remembered(tmp_path: Path) -> None:
    """Health checks too, so that the keychain asks a person once."""
    assert remembered(KeyPlace(tmp_path / "m.db")) is remembered(KeyPlace(tmp_path / "m.db"))


def test_the_keychain_is_asked_once(keychain: CountingKeyring, tmp_path: Path) -> None:
    """A key is remembered, and so is a refusal for a while."""
    clock, place = FakeClock(), KeyPlace(tmp_path / "m.db")
    keys = RememberedKeys(place, clock)
    keychain.is_locked = True
    for _ in range(3):
        with pytest.raises(LockedError, match="KeyringLocked"):
            keys()
    assert keychain.asked == 1
    keychain.is_locked = False
    place.save([key := new_key()])
    before = keychain.asked
    clock.now += AGAIN_S
    assert keys() == keys() == (key,)
    assert keys(again=True) == (key,)  # somebody just asked
    assert keychain.asked == before + 1


def test_a_variable_comes_before_a_file_and_is_the_users(tmp_path: Path, keychain: CountingKeyring) -> None:
    """It is read in any letters, and never written."""
    first, second = new_key(), new_key()
    (tmp_path / "key").write_text(second)
    place = KeyPlace(tmp_path / "m.db", f"{first.upper()},\n{second}", tmp_path / "key")
    assert place.load() == (first, second)
    with pytest.raises(StoreError, match="does not return the key"):
        place.save([second])
    assert keychain.asked == 0
    assert place._replace(variable=None).load() == (second,)


@pytest.mark.parametrize("held", ["x" * 64, "0" * 63, "0" * 65, "\n".join(["0" * 64] * (MOST_KEYS + 1)), "é" * 64])
def test_what_is_no_key_is_not_taken_for_a_password(tmp_path: Path, held: str) -> None:
    """The message does not repeat it."""
    (tmp_path / "key").write_text(held)
    with pytest.raises(LockedError, match="64 hexadecimal digits") as failed:
        KeyPlace(tmp_path / "m.db", file=tmp_path / "key").load()
    assert held not in str(failed.value)


def test_who_has_no_keyring_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra, or a file."""
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(LockedError, match=r"memory-mcp\[keychain\], or .*MCP_MEMORY_ENCRYPTION_KEY_FILE"):
        KeyPlace(tmp_path / "m.db").load()
