"""The export format: JSON Lines with a header, the memories in order of arrival, the documents, and a footer."""

from __future__ import annotations

import json
from typing import Annotated, Final, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from memory_mcp.application.document_lines import is_document, parse_document
from memory_mcp.domain.documents import DocumentRecord
from memory_mcp.domain.errors import InvalidArgumentError
from memory_mcp.domain.models import Memory, Record, Revision
from memory_mcp.domain.names import nfc, nfc_members
from memory_mcp.tools.fields import Content, ConversationId, MemoryId, MetadataField, Moment, Namespace, Tag, Type

HEADER: Final = {"memory_mcp_export": 2}
WITHOUT_DOCUMENTS: Final = {"memory_mcp_export": 1}
"""The header of an export that has no documents, as earlier versions wrote them all."""
HEADERS: Final = (HEADER, WITHOUT_DOCUMENTS)
END: Final = "memory_mcp_export_end"
"""The only key of the last line; its value is the number of the lines before it, without the header."""

ExportedTags = list[Tag]  # unbounded: duplicates may have added many tags


class _RevisionLine(BaseModel):
    """A revision."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    revision: int = Field(ge=1)
    content: Content
    tags: ExportedTags
    type: Type
    metadata: Annotated[
        MetadataField, BeforeValidator(nfc_members)
    ]  # written by an earlier version: nothing may be refused or lost
    updated_at: Moment


class _MemoryLine(_RevisionLine):
    """A memory."""

    id: MemoryId
    namespace: Namespace
    conversation_id: ConversationId | None
    created_at: Moment
    revisions: list[_RevisionLine]


def dump(record: Record) -> str:
    """Return a memory as one line without the newline."""
    memory = record.memory
    fields: dict[str, object] = {
        "id": memory.id,
        "namespace": memory.namespace,
        "conversation_id": memory.conversation_id,
        "created_at": memory.created_at.isoformat(),
        **_shared(memory),
        "revisions": [_shared(was) for was in record.revisions],
    }
    return json.dumps(fields, ensure_ascii=False)


def _shared(was: Memory | Revision) -> dict[str, object]:
    return {
        "revision": was.revision,
        "content": was.content,
        "tags": list(was.tags),
        "type": was.type,
        "metadata": was.metadata,
        "updated_at": was.updated_at.isoformat(),
    }


def load(number: int, line: str, consequence: str = "nothing from here on was read") -> Record | DocumentRecord:
    """Parse the line of a memory or a document.

    Raises:
        InvalidArgumentError: it is not one; names the line number, the field and the consequence.
    """
    try:
        return _parse_document(line) if is_document(line) else parse(line)
    except InvalidArgumentError as error:
        raise InvalidArgumentError(f"line {number}", f"{error}; {consequence}") from error


def parse(line: str) -> Record:
    """Return the memory that a line is.

    Raises:
        InvalidArgumentError: it is none; names the field.
    """
    try:
        parsed = _MemoryLine.model_validate_json(line)
    except ValidationError as error:
        raise _named(error) from error
    revisions = tuple(_revision(was) for was in parsed.revisions)
    memory = Memory(
        key=0,
        id=parsed.id,
        namespace=parsed.namespace,
        content=parsed.content,
        tags=tuple(parsed.tags),
        type=parsed.type,
        metadata=parsed.metadata,
        conversation_id=parsed.conversation_id,
        created_at=parsed.created_at,
        updated_at=parsed.updated_at,
        revision=parsed.revision,
        embedded=False,
    )
    return Record(memory, revisions, may_be_numbered=_is_respelled(line))


def _parse_document(line: str) -> DocumentRecord:
    try:
        return parse_document(line)
    except ValidationError as error:
        raise _named(error) from error


def _named(error: ValidationError) -> InvalidArgumentError:
    """Return what names the first field that is wrong."""
    first = error.errors(include_url=False, include_input=False)[0]
    field = ".".join(str(part) for part in first["loc"]) or "the line"
    return InvalidArgumentError(field, first["msg"])


def _is_respelled(line: str) -> bool:
    """Return whether the line's id or namespace is not in NFC."""
    if "\\u" not in line and nfc(line) == line:
        return False
    raw = cast("dict[str, str]", json.loads(line))
    return any(nfc(raw[name]) != raw[name] for name in ("id", "namespace"))


def _revision(was: _RevisionLine) -> Revision:
    return Revision(was.revision, was.content, tuple(was.tags), was.type, was.metadata, was.updated_at)


def check_header(line: str) -> None:
    """Check the header.

    Raises:
        InvalidArgumentError: the file is not an export, or comes from a newer version.
    """
    try:
        header = json.loads(line)
    except ValueError:
        header = None
    if not isinstance(header, dict) or "memory_mcp_export" not in header:
        raise InvalidArgumentError(
            "line 1", "is not the header of an export; give a file that `memory-mcp export` wrote"
        )
    if header not in HEADERS:
        raise InvalidArgumentError("line 1", "comes from a newer memory-mcp; nothing was read: upgrade this one")


def ended(number: int, line: str, count: int) -> None:
    """Check the footer.

    Raises:
        InvalidArgumentError: its count differs from `count`.
    """
    if line.strip() != json.dumps({END: count}):
        raise InvalidArgumentError(
            f"line {number}", f"does not match the {count} lines before it; export the file again"
        )
