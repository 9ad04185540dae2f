"""What a peer's reader sends through its pipe: JSON frames, each after its length. The front believes none of it."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from memory_mcp.documents.sandbox.control import LENGTH
from memory_mcp.imports.model import PeerItem, PeerRecord, PeerVersion, Remark, UnreadableError

MAX_FRAME: Final = 32 << 20
"""A million characters and their earlier versions."""
MAX_SENTENCE: Final = 500
UNFIT: Final = Remark("bad", "it is larger or nested deeper than a record can be")
HALVES: Final = Remark("lost", "halves of characters, which its program cut, were replaced")
_HALF: Final = re.compile("[\ud800-\udfff]")


def packed(item: PeerItem) -> bytes:
    """Return the frame of an item, behind one that says what was replaced in it."""
    kind = "record" if isinstance(item, PeerRecord) else "remark"
    source_id = _whole(item.source_id[:MAX_SENTENCE])
    with suppress(RecursionError, ValidationError):  # nested as deeply as its writer likes
        fields = {"frame": kind, **asdict(item)}
        written = json.dumps(fields, ensure_ascii=False, default=datetime.isoformat)
        frame = _framed(whole := _whole(written))
        _ANY.validate_json(frame[LENGTH.size :])
        if len(frame) <= MAX_FRAME:
            return frame if whole == written else packed(Remark(HALVES.kind, HALVES.what, source_id)) + frame
    return packed(Remark(UNFIT.kind, UNFIT.what, source_id))


def refused(sentence: str) -> bytes:
    """Return the last frame of a source that cannot be read."""
    return _framed(json.dumps({"frame": "refused", "sentence": sentence[:MAX_SENTENCE]}))


def end() -> bytes:
    """Return the last frame."""
    return _framed(json.dumps({"frame": "end"}))


def _whole(text: str) -> str:
    """Return a text without halves of characters, which are not Unicode."""
    return _HALF.sub("\N{REPLACEMENT CHARACTER}", text)


def _framed(written: str) -> bytes:
    content = written.encode()
    return LENGTH.pack(len(content)) + content


class _PeerFrame(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Version(_PeerFrame):
    content: str
    tags: tuple[str, ...]
    type: str
    metadata: dict[str, object]
    at: AwareDatetime

    def item(self) -> PeerVersion:
        return PeerVersion(self.content, self.tags, self.type, self.metadata, self.at)


class _Record(_PeerFrame):
    frame: Literal["record"]
    source_id: str
    content: str
    created_at: AwareDatetime
    updated_at: AwareDatetime
    tags: tuple[str, ...]
    type: str
    metadata: dict[str, object]
    conversation_id: str | None
    namespace: str
    versions: tuple[_Version, ...]
    state: Literal["live", "deleted"]
    id: str
    is_dated: bool

    def item(self) -> PeerRecord:
        fields = {name: value for name, value in self if name not in {"frame", "versions"}}
        return PeerRecord(**fields, versions=tuple(version.item() for version in self.versions))


class _Remark(_PeerFrame):
    frame: Literal["remark"]
    kind: Literal["lost", "guessed", "bad"]
    what: Annotated[str, Field(max_length=MAX_SENTENCE)]
    source_id: str

    def item(self) -> Remark:
        return Remark(self.kind, _printable(self.what), _printable(self.source_id))


class _RefusedSource(_PeerFrame):
    frame: Literal["refused"]
    sentence: Annotated[str, Field(max_length=MAX_SENTENCE)]


class _LastFrame(_PeerFrame):
    frame: Literal["end"]


_ANY: Final[TypeAdapter[_Record | _Remark | _RefusedSource | _LastFrame]] = TypeAdapter(
    Annotated[_Record | _Remark | _RefusedSource | _LastFrame, Field(discriminator="frame")]
)


def unpacked(content: bytes) -> PeerItem | None:
    """Return the item of a frame; None for the last.

    Raises:
        UnreadableError: the source cannot be read, or the frame is none.
    """
    try:
        frame = _ANY.validate_json(content)
    except ValidationError as error:
        raise UnreadableError("its reader sent what no reader sends; report the bug") from error
    if isinstance(frame, _RefusedSource):
        raise UnreadableError(_printable(frame.sentence))
    return None if isinstance(frame, _LastFrame) else frame.item()


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text)
