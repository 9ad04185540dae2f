"""What readers yield, and why they refuse. The front imports this module, and no other of the readers'."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import BinaryIO, TypeAlias


class Refusal(StrEnum):
    """Why a file, or a document in it, is not read."""

    EMPTY = "empty"
    NO_READER = "no_reader"
    NO_TEXT_LAYER = "no_text_layer"
    PASSWORD_NEEDED = "password_needed"  # noqa: S105 - the name of a reason
    ENCRYPTED = "encrypted"
    DAMAGED = "damaged"
    ENTITIES = "entities"
    TOO_DEEP = "too_deep"
    TOO_LARGE = "too_large"
    UNPACKS_TOO_LARGE = "unpacks_too_large"
    ENCODING_UNSURE = "encoding_unsure"
    OUT_OF_TIME = "out_of_time"
    OUT_OF_MEMORY = "out_of_memory"
    READER_DIED = "reader_died"
    OUTSIDE_ROOTS = "outside_roots"
    MISSING = "missing"
    NOT_A_FILE = "not_a_file"
    NO_ACCESS = "no_access"
    SECRET = "secret"  # noqa: S105 - likewise
    CHANGED = "changed"
    """While it was read."""
    NOT_READABLE = "not_readable"
    """The system failed: its disk, or there is no room for what is read."""


class RefusedError(Exception):
    """A file, or a document in it, is not read.

    Attributes:
        refusal: the kind of reason.
        sentence: what happened and what fixes it, for a person; it has nothing of the content.
    """

    def __init__(self, refusal: Refusal, sentence: str) -> None:
        super().__init__(sentence)
        self.refusal = refusal
        self.sentence = sentence

    def __reduce__(self) -> tuple[type[RefusedError], tuple[Refusal, str]]:
        """Let it be pickled: an exception is made anew of its arguments."""
        return RefusedError, (self.refusal, self.sentence)


@dataclass(frozen=True, slots=True)
class DocumentSource:
    """A file that is read, or a part of one (an attachment)."""

    file: BinaryIO
    """Seekable and read-only."""
    name: str
    """The last part of its path or URI: a hint, never trusted."""
    media_type: str | None = None
    """What its sender says; None where nobody says."""


@dataclass(frozen=True, slots=True)
class Header:
    """Begins a document; the blocks after it are its own, until the next header."""

    part: str = ""
    """Names it within its file: empty for the file itself, else "message-3" or "message-3/report.pdf"."""
    title: str | None = None
    media_type: str = "text/plain"
    pages: int | None = None
    created_at: datetime | None = None
    """Of a message, with its zone."""
    refused: RefusedError | None = None
    """Why this document of the file has no blocks; the others are read all the same."""
    is_conversation: bool = False
    """Whether its blocks are turns, in order."""


@dataclass(frozen=True, slots=True)
class TextBlock:
    """A paragraph, list item, table row, definition or turn, in reading order."""

    text: str
    """Not blank; its line breaks and indentation are meant."""
    heading: tuple[str, ...] = ()
    """The headings above it, from the outermost; a heading is not a block of its own."""
    page: int | None = None
    """From 1: page, slide."""
    repeated: str = ""
    """The header row of its table: repeated at the top of each section that holds rows of it."""
    created_at: datetime | None = None
    """Of a turn, with its zone."""
    stands_alone: bool = False
    """Whether it shares a section with no other: a turn, a definition."""

    def __reduce__(self) -> tuple[type[TextBlock], tuple[object, ...]]:
        """Let it be pickled; a table has thousands, and what dataclasses do takes four times as long."""
        told = self.text, self.heading, self.page, self.repeated, self.created_at, self.stands_alone
        return TextBlock, told


DocumentItem: TypeAlias = Header | TextBlock
DocumentReader: TypeAlias = Callable[[DocumentSource], Iterator[DocumentItem]]
"""Yields a header first. Raises RefusedError, before the first block or after some, where a file cannot be read."""
