"""The lines of documents in an export: each has its files, and names the memories that are its sections."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from memory_mcp.domain.documents import (
    MAX_PART,
    MAX_TITLE,
    MAX_URI,
    DocumentRecord,
    FileRecord,
    SectionRecord,
)
from memory_mcp.tools.fields import MemoryId, Moment, Namespace, Tag

DOCUMENT: Final = "document"
"""The only key of such a line."""
_MOST: Final = 2**63 - 1

_Text = Annotated[str, Field(max_length=MAX_TITLE)]
_Digest = Annotated[str, Field(pattern="^[0-9a-f]{1,128}$")]
_Number = Annotated[int, Field(ge=0, le=_MOST)]


class _Line(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _FileLine(_Line):
    uri: str = Field(min_length=1, max_length=MAX_URI)
    size: _Number
    modified_ns: Annotated[int, Field(ge=-_MOST, le=_MOST)] | None
    seen_at: Moment
    missing_at: Moment | None


class _SectionLine(_Line):
    id: MemoryId
    heading: list[_Text]
    page: _Number | None
    digest: Annotated[str, Field(pattern="^([0-9a-f]{2})+$")]


class _DocumentFields(_Line):
    id: MemoryId
    namespace: Namespace
    digest: _Digest
    part: str = Field(max_length=MAX_PART)
    title: _Text | None
    media_type: _Text
    pages: _Number | None
    refusal: _Text | None
    error: str | None
    tags: list[Tag]
    dated_at: Moment
    created_at: Moment
    updated_at: Moment
    files: list[_FileLine]
    sections: list[_SectionLine]


class _DocumentLine(_Line):
    document: _DocumentFields


def dump_document(record: DocumentRecord) -> str:
    """Return a document as one line without the newline."""
    fields: dict[str, object] = {
        "id": record.id,
        "namespace": record.namespace,
        "digest": record.digest,
        "part": record.part,
        "title": record.title,
        "media_type": record.media_type,
        "pages": record.pages,
        "refusal": record.refusal,
        "error": record.error,
        "tags": list(record.tags),
        "dated_at": record.dated_at.isoformat(),
        "created_at": record.created_at.isoformat(),
        "updated_at": record.updated_at.isoformat(),
        "files": [_file_fields(file) for file in record.files],
        "sections": [
            {"id": one.memory_id, "heading": list(one.heading), "page": one.page, "digest": one.digest.hex()}
            for one in record.sections
        ],
    }
    return json.dumps({DOCUMENT: fields}, ensure_ascii=False)


def _file_fields(file: FileRecord) -> dict[str, object]:
    return {
        "uri": file.uri,
        "size": file.size,
        "modified_ns": file.modified_ns,
        "seen_at": file.seen_at.isoformat(),
        "missing_at": _text(file.missing_at),
    }


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def is_document(line: str) -> bool:
    """Whether a line is a document's."""
    return line.startswith(f'{{"{DOCUMENT}"')


def parse_document(line: str) -> DocumentRecord:
    """Return the document that a line is.

    Raises:
        ValidationError: it is none.
    """
    found = _DocumentLine.model_validate_json(line).document
    return DocumentRecord(
        key=0,
        id=found.id,
        namespace=found.namespace,
        digest=found.digest,
        part=found.part,
        title=found.title,
        media_type=found.media_type,
        pages=found.pages,
        refusal=found.refusal,
        error=found.error,
        tags=tuple(found.tags),
        dated_at=found.dated_at,
        created_at=found.created_at,
        updated_at=found.updated_at,
        files=tuple(FileRecord(one.uri, one.size, one.modified_ns, one.seen_at, one.missing_at) for one in found.files),
        sections=tuple(
            SectionRecord(one.id, tuple(one.heading), one.page, bytes.fromhex(one.digest)) for one in found.sections
        ),
    )
