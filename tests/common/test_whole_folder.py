"""A folder is replaced as a whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from memory_common.whole_folder import replacing


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a file."""
    path = tmp_path / "folder"
    path.mkdir()
    (path / "old").touch()
    return path


def names(folder: Path) -> list[str]:
    """Return what is in a folder."""
    return [path.name for path in folder.iterdir()]


def test_the_old_folder_is_there_until_the_new_one_is_whole(folder: Path) -> None:
    """Nothing of the old one is left in the new one, and nothing beside it."""
    with replacing(folder) as draft:
        (draft / "new").touch()
        assert names(folder) == ["old"]
    assert (names(folder), names(folder.parent)) == (["new"], ["folder"])
    assert folder.stat().st_mode & 0o777 == 0o700


def _give_up(folder: Path) -> None:
    with replacing(folder) as draft:
        (draft / "new").touch()
        raise RuntimeError


def test_a_failure_changes_nothing_and_leaves_nothing(folder: Path) -> None:
    """The draft goes, with all that is in it."""
    with pytest.raises(RuntimeError):
        _give_up(folder)
    assert (names(folder), names(folder.parent)) == (["old"], ["folder"])


def test_a_draft_that_a_killed_process_left_is_not_taken_over(folder: Path) -> None:
    """Whatever was in it may be half of a file."""
    left = folder.with_name("unfinished-folder")
    left.mkdir()
    (left / "half").touch()
    with replacing(folder) as draft:
        assert names(draft) == []
    assert names(folder.parent) == ["folder"]


def test_a_folder_that_is_not_there_yet_is_made(tmp_path: Path) -> None:
    """With the mode that is asked for."""
    made = tmp_path / "made"
    with replacing(made, 0o500):
        assert not made.exists()
    assert made.stat().st_mode & 0o777 == 0o500
