"""The reader of Claude Code's memory folders: what says of which project a file is."""

from __future__ import annotations

from pathlib import Path

import pytest

from memory_mcp.imports.model import PeerRecord, Remark, Source, UnreadableError
from memory_mcp.imports.peers import claude_code

PATTERNS = ("**/memory/*.md",)


def test_a_lone_file_is_refused(tmp_path: Path) -> None:
    """The folder that its copy lies in is not the project's."""
    (tmp_path / "tea.md").write_text("Likes tea")
    with pytest.raises(UnreadableError, match="give the folder that has memory/ in it"):
        list(claude_code.read(Source(tmp_path / "tea.md", PATTERNS)))


@pytest.mark.parametrize("folder", ["unpacked archive", "other"])
def test_an_archive_may_begin_below_a_project(tmp_path: Path, folder: str) -> None:
    """Where it was unpacked makes no difference: neither ids nor tags come of that."""
    path = tmp_path / folder / "memory/tea.md"
    path.parent.mkdir(parents=True)
    path.write_text("Likes tea")
    source = Source(tmp_path / folder, PATTERNS, times={path: Source(path).written_at(path)})
    remarks_and_record = list(claude_code.read(source))
    (record,) = (item for item in remarks_and_record if isinstance(item, PeerRecord))
    assert (record.source_id, record.tags, record.metadata) == ("memory/tea.md", (), {"file": "tea.md"})
    assert record.id == "c19f0a79-23fd-5747-8666-da90ed010fd0"
    assert Remark("guessed", claude_code.NO_PROJECT.what, "memory/tea.md") in remarks_and_record


def test_an_archive_of_projects_names_them(tmp_path: Path) -> None:
    """By their folders in it."""
    path = tmp_path / "unpacked archive/-home-mari/memory/tea.md"
    path.parent.mkdir(parents=True)
    path.write_text("Likes tea")
    source = Source(tmp_path / "unpacked archive", PATTERNS, times={path: Source(path).written_at(path)})
    (record,) = (item for item in claude_code.read(source) if isinstance(item, PeerRecord))
    assert (record.source_id, record.tags) == ("-home-mari/memory/tea.md", ("-home-mari",))
