"""Claude Code: the memory folder of each project, one topic a file, and an index."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from memory_mcp.imports.model import PeerItem, Remark, Source, UnreadableError
from memory_mcp.imports.peers import markdown
from memory_mcp.imports.peers.markdown import Note
from memory_mcp.imports.peers.values import own_id

INDEX: Final = "MEMORY.md"
PROJECT: Final = Remark("guessed", "its project is taken as a tag")
NO_PROJECT: Final = Remark("guessed", "the archive does not say of which project it is; it gets no tag")
LONE: Final = "it is a lone file, which does not say of which project it is; give the folder that has memory/ in it"
LINKS: Final = "the links of an index to the files beside it are left out"
_LINK: Final = re.compile(r"\s*[-*+]\s+\[.*?\]\((?!\w+://)[^)\s]+\.md\).*\n?")


def read(source: Source) -> Iterator[PeerItem]:
    """Yield a memory for each file, and one for what an index says itself.

    Raises:
        UnreadableError: there is no memory folder, or a file alone.
    """
    if source.path.is_file():
        raise UnreadableError(LONE)  # which project it is of, only its folder tells
    found = False
    root = source.path.parent  # the copied folder's own name may be a project's
    for note in markdown.notes(source, root):
        found = True
        if isinstance(note, Note):
            yield from _items(note, source)
        else:
            yield note
    if not found:
        raise UnreadableError("it holds no memory/*.md; give ~/.claude/projects, or the folder of one project in it")


def _items(note: Note, source: Source) -> Iterator[PeerItem]:
    project = _project(note, source)
    note.place = "/".join((*filter(None, (project,)), *note.path.parts[-2:]))
    if note.path.name == INDEX and not _keep_own(note):
        yield from note.remarks
        return
    guess = PROJECT if project else NO_PROJECT
    note.remarks.append(Remark(guess.kind, guess.what, note.place))
    nested = note.front.pop("metadata", None)
    note.front = {**nested, **note.front} if isinstance(nested, dict) else note.front
    when = markdown.times(note, source)
    yield from markdown.record(
        note,
        when,
        id=own_id("claude-code", note.place, *([] if project else [note.body])),
        tags=tuple(filter(None, (project,))),
        type=note.text("type"),
        conversation_id=note.text("originSessionId") or None,
        metadata={"project": project, "file": note.path.name},
    )


def _project(note: Note, source: Source) -> str:
    """Return the name of a project's folder; empty for an archive that begins below it: its own name is none."""
    folder = note.path.parent.parent
    return "" if folder == source.path and source.times else folder.name


def _keep_own(note: Note) -> bool:
    """Leave in an index what is no link to a file; return whether that says anything."""
    own = "".join(line for line in note.body.splitlines(keepends=True) if not _LINK.fullmatch(line))
    if own != note.body:
        note.remarks.append(Remark("lost", LINKS, note.place))
    note.body = re.sub(r"\n{3,}", "\n\n", own)
    return any(line.strip() and not line.startswith("#") for line in note.body.split("\n"))
