"""Takes a child's frames, which it believes nothing: each has its types and bounds checked before it is an item."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from memory_mcp.documents.readers.model import DocumentItem, Header, Refusal, RefusedError, TextBlock
from memory_mcp.documents.sandbox.control import LENGTH
from memory_mcp.documents.sandbox.frames import MAX_DEPTH, MAX_FRAME, MAX_NAME, MAX_REPEATED, MAX_SENTENCE, MAX_TEXT


class GarbledError(Exception):
    """A child sent what no reader sends."""


class _Frame(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


LAST_YEAR: Final = 9_000
"""Of a time that is kept: the sections after it follow by microseconds, and must not leave what a time can be."""


def _kept(moment: datetime) -> datetime | None:
    """Return a time in UTC; None if no document can be from then."""
    try:
        utc = moment.astimezone(UTC)
    except OverflowError:
        return None
    return utc if utc.year <= LAST_YEAR else None


_Time = Annotated[AwareDatetime, AfterValidator(_kept)] | None
_Short = Annotated[str, Field(max_length=MAX_NAME)]
_Page = Annotated[int, Field(ge=1, le=10_000_000)]


class _Refused(_Frame):
    kind: Literal["refused"] = "refused"
    refusal: Annotated[Refusal, Field(strict=False)]
    sentence: Annotated[str, Field(max_length=MAX_SENTENCE)]

    def error(self) -> RefusedError:
        return RefusedError(self.refusal, "".join(c if c.isprintable() else " " for c in self.sentence))


class _HeaderFrame(_Frame):
    kind: Literal["header"]
    part: _Short
    title: _Short | None
    media_type: _Short
    pages: _Page | None
    created_at: _Time
    refused: _Refused | None
    is_conversation: bool

    def item(self) -> Header:
        refused = self.refused.error() if self.refused else None
        return Header(
            self.part, self.title, self.media_type, self.pages, self.created_at, refused, self.is_conversation
        )


class _BlockFrame(_Frame):
    kind: Literal["block"]
    text: Annotated[str, Field(min_length=1, max_length=MAX_TEXT)]
    heading: Annotated[tuple[_Short, ...], Field(max_length=MAX_DEPTH)]
    page: _Page | None
    repeated: Annotated[str, Field(max_length=MAX_REPEATED)]
    created_at: _Time
    stands_alone: bool

    def item(self) -> TextBlock:
        return TextBlock(self.text, self.heading, self.page, self.repeated, self.created_at, self.stands_alone)


class _End(_Frame):
    kind: Literal["end"]


_ANY: Final[TypeAdapter[_HeaderFrame | _BlockFrame | _Refused | _End]] = TypeAdapter(
    Annotated[_HeaderFrame | _BlockFrame | _Refused | _End, Field(discriminator="kind")]
)


class FrameDecoder:
    """Takes a child's bytes as they come, and yields its items."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._has_header = False
        self.is_complete = False
        """Whether the child said that it had read everything."""

    def feed(self, received: bytes) -> Iterator[DocumentItem]:
        """Yield the items that are complete.

        Raises:
            RefusedError: the reader refused.
            GarbledError: the bytes are no frames.
        """
        self._buffer += received
        while len(self._buffer) >= LENGTH.size:
            (size,) = LENGTH.unpack_from(self._buffer)
            if size > MAX_FRAME or self.is_complete:
                raise GarbledError
            if len(self._buffer) < LENGTH.size + size:
                return
            content = bytes(self._buffer[LENGTH.size : LENGTH.size + size])
            del self._buffer[: LENGTH.size + size]
            yield from self._decoded(content)

    def _decoded(self, content: bytes) -> Iterator[DocumentItem]:
        try:
            frame = _ANY.validate_json(content)
        except ValidationError as error:
            raise GarbledError from error
        match frame:
            case _HeaderFrame():
                self._has_header = True
                yield frame.item()
            case _BlockFrame() if self._has_header and not frame.text.isspace():
                yield frame.item()
            case _Refused():
                raise frame.error()
            case _End() if self._has_header:
                self.is_complete = True
            case _:
                raise GarbledError
