"""Private copies of files that other programs write."""

from __future__ import annotations

import os
import shutil
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
    copy2, left = shutil.copy2, iter(range(times))

    def copy(source: Path, target: Path) -> None:
        copy2(source, target)
        if source == file and next(left, None) is not None:
            file.write_text(file.read_text() + "+")

    monkeypatch.setattr(shutil, "copy2", copy)


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
