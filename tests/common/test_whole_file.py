"""A file is replaced as a whole or not at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from memory_common import whole_file
from memory_common.whole_file import replacing


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a file that others can read."""
    path = tmp_path / "file"
    path.write_text("old")
    path.chmod(0o644)
    return path


def test_readers_see_the_old_file_until_the_new_one_is_whole(file: Path) -> None:
    """What was opened before keeps the old content even afterwards."""
    with file.open() as before:
        with replacing(file) as draft:
            draft.write(b"new")
            draft.flush()
            assert file.read_text() == "old"
        assert (before.read(), file.read_text()) == ("old", "new")
    assert list(file.parent.iterdir()) == [file]


def test_a_failure_changes_nothing_and_leaves_nothing(file: Path) -> None:
    """Whoever writes may change his mind, too."""
    with pytest.raises(RuntimeError):
        _give_up(file)
    assert (file.read_text(), list(file.parent.iterdir())) == ("old", [file])
    folder = file.parent / "folder"
    folder.mkdir()
    with pytest.raises(IsADirectoryError):
        whole_file.write(folder, b"new")
    assert sorted(file.parent.iterdir()) == [file, folder]


def _give_up(file: Path) -> None:
    with replacing(file) as draft:
        draft.write(b"half")
        raise RuntimeError


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o755])
def test_the_mode_is_the_one_that_is_asked_for(file: Path, mode: int) -> None:
    """Neither the umask nor the old file's mode counts; without a word it is private."""
    before = os.umask(0o077)
    try:
        whole_file.write(file, b"new", mode)
    finally:
        os.umask(before)
    assert stat.S_IMODE(file.stat().st_mode) == mode
    whole_file.write(file, b"newer")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_two_that_write_at_once_do_not_mix(file: Path) -> None:
    """Each has a draft of its own, also within a process: the later one wins, whole."""
    with replacing(file) as first, replacing(file) as second:
        first.write(b"first")
        second.write(b"second")
    assert file.read_text() == "first"
