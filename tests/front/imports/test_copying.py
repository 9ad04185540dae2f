"""Private copies of files that other programs write."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from memory_mcp.imports import copying
from memory_mcp.imports.copying import Bounds, copied
from memory_mcp.imports.model import Peer, UnreadableError

PEER = Peer("peer", "", (), ("**/*.db",), ("-wal",))


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """Make a folder with a database, its log, and what does not belong to it."""
    folder = tmp_path / "kept"
    (folder / "deep").mkdir(parents=True)
    for name in ("deep/own.db", "deep/own.db-wal", "deep/other.txt"):
        (folder / name).write_text(name)
    os.utime(folder / "deep/own.db", (1e9, 1e9))
    return folder


@pytest.fixture
def private(tmp_path: Path) -> Path:
    """Make the folder for the copy."""
    made = tmp_path / "private"
    made.mkdir()
    return made


def written_meanwhile(monkeypatch: pytest.MonkeyPatch, file: Path, times: int) -> None:
    """Let another program write to a file each time that it was copied, some times."""
    copy_file, rounds = copying.copy_file, iter(range(times))

    def copy(root: Path, source: Path, target: Path, left: int) -> int:
        size = copy_file(root, source, target, left)
        if source == file and next(rounds, None) is not None:
            file.write_text(file.read_text() + "+")
        return size

    monkeypatch.setattr(copying, "copy_file", copy)


def test_a_folder_is_copied_in_part(kept: Path, private: Path) -> None:
    """The files that the peer names and their logs, with their times."""
    copy = copied(PEER, kept, private)
    assert copy == private / "kept"
    assert sorted(path.name for path in copy.rglob("*.*")) == ["own.db", "own.db-wal"]
    assert (copy / "deep/own.db").stat().st_mtime == 1e9


@pytest.mark.parametrize("place", ["", "deep/own.db"])
def test_a_copy_is_of_one_moment(kept: Path, private: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    """What was written meanwhile is copied again, with its log."""
    written_meanwhile(monkeypatch, kept / "deep/own.db-wal", times=2)
    copied(PEER, kept / place, private)
    [log] = private.rglob("own.db-wal")
    assert log.read_text() == "deep/own.db-wal++"


def test_what_never_rests_is_refused(kept: Path, private: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of it could be of another moment."""
    written_meanwhile(monkeypatch, kept / "deep/own.db", times=100)
    with pytest.raises(UnreadableError, match="close that program"):
        copied(PEER, kept, private)
    assert list(private.rglob("own.db")) == []


def test_too_much_is_not_copied(kept: Path, private: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor begun."""
    monkeypatch.setattr(copying, "COPIED", Bounds(files=5, size=20))
    with pytest.raises(UnreadableError, match="name a smaller part of it"):
        copied(PEER, kept, private)
    assert list(private.iterdir()) == []


def test_links_in_a_folder_are_not_followed(kept: Path, private: Path, tmp_path: Path) -> None:
    """Neither to a file nor to a folder that the pattern names."""
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "secret.db").write_text("secret")
    (kept / "project").mkdir()
    (kept / "project/memory").symlink_to(secret)
    (kept / "linked.db").symlink_to(secret / "secret.db")
    copy = copied(Peer("peer", "", (), ("**/memory/*.db", "**/*.db")), kept, private)
    assert [path.name for path in copy.rglob("*.*")] == ["own.db"]


@pytest.mark.parametrize("place", ["", "deep/own.db"])
@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_what_belongs_to_a_database_is_a_file(kept: Path, private: Path, place: str, kind: str) -> None:
    """A device would be copied without end, a pipe be waited for; without its log a database lacks rows."""
    log = kept / "deep/own.db-wal"
    log.unlink()
    if kind == "link":
        log.symlink_to("/dev/zero")
    else:
        os.mkfifo(log)
    with pytest.raises(UnreadableError, match=r"own\.db-wal is a link or no file"):
        copied(PEER, kept / place, private)
    assert list(private.rglob("own.db*")) == []


def test_a_link_that_the_user_names_is_followed(kept: Path, private: Path, tmp_path: Path) -> None:
    """With the log of the file that it leads to, under its own name."""
    (tmp_path / "mine.db").symlink_to(kept / "deep/own.db")
    assert copied(PEER, tmp_path / "mine.db", private) == private / "mine.db"
    assert (private / "mine.db-wal").read_text() == "deep/own.db-wal"


def test_a_folder_that_becomes_a_link_is_not_followed(
    kept: Path, private: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Between the look at it and the copy."""
    copy_file = copying.copy_file

    def copy(root: Path, source: Path, target: Path, left: int) -> int:
        if not (kept / "deep").is_symlink():
            (kept / "deep").rename(tmp_path / "elsewhere")
            (kept / "deep").symlink_to(tmp_path / "elsewhere")
        return copy_file(root, source, target, left)

    monkeypatch.setattr(copying, "copy_file", copy)
    with pytest.raises(UnreadableError, match="cannot be copied"):
        copied(PEER, kept, private)


def test_a_file_that_grows_is_not_copied_without_end(kept: Path, private: Path) -> None:
    """Its bytes are counted as they come, whatever its size was before."""
    with pytest.raises(UnreadableError, match="name a smaller part of it"):
        copying.copy_file(kept, kept / "deep/own.db", private / "own.db", 5)
