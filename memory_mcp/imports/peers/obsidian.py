"""Obsidian: the notes of a vault, with their front matter and the tags in their text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final

from memory_mcp.domain.models import MAX_TAG
from memory_mcp.imports.model import PeerItem, Remark, Source, UnreadableError
from memory_mcp.imports.peers import markdown
from memory_mcp.imports.peers.markdown import Note
from memory_mcp.imports.peers.values import own_id

SETTINGS: Final = ".obsidian"
NO_IDS: Final = Remark("guessed", "notes have no ids; a note's path within the vault stands for one")
NOT_NOTES: Final = Remark("lost", "canvases, pictures and other attachments are not taken")
_TAG: Final = re.compile(r"(?<![^\s(])#(?=[^\s#]*[^\W\d_])([\w/-]+)")
"""A tag in the text, which has a letter: `#1` is none."""


def read(source: Source) -> Iterator[PeerItem]:
    """Yield a memory for each note.

    Raises:
        UnreadableError: there is no note, or there are several vaults.
    """
    found = False
    for note in markdown.notes(source, vault(source)):
        found = True
        if isinstance(note, Note):
            yield from _items(note, source)
        else:
            yield note
    if not found:
        raise UnreadableError("it holds no notes (.md); give the folder of the vault")
    yield NO_IDS
    yield NOT_NOTES


def vault(source: Source) -> Path:
    """Return the folder that is the vault: the one with Obsidian's settings, or the whole.

    Raises:
        UnreadableError: there are several; notes of the same name would be taken for one.
    """
    if source.path.is_file():
        return source.path.parent
    found = sorted({settings.parent for settings in source.path.glob(f"**/{SETTINGS}") if settings.is_dir()})
    if len(found) > 1:
        names = ", ".join(str(path.relative_to(source.path)) for path in found[:5])
        raise UnreadableError(f"it holds several vaults ({names}); give the path of one")
    return found[0] if found else source.path


def _items(note: Note, source: Source) -> Iterator[PeerItem]:
    when = markdown.times(note, source)
    tags = note.texts("tags", r",\s") + note.texts("tag", r",\s") + inline_tags(note.body)
    metadata = {"title": note.text("title") or PurePosixPath(note.place).stem, "folder": markdown.folder_of(note)}
    yield from markdown.record(
        note, when, id=own_id("obsidian", note.place), tags=tags, type=note.text("type"), metadata=metadata
    )


def inline_tags(body: str) -> tuple[str, ...]:
    """Return the tags in a text, except in code; one that is too long is a word that begins with a hash sign."""
    found = (tag for line in markdown.lines_outside_code(body) for tag in _TAG.findall(line))
    return tuple(tag for tag in found if len(tag) <= MAX_TAG)
