"""Which reader reads what. A new one is a file beside this one and a line in `READERS`.

The reader process imports this module before its sandbox closes, and the front never: it imports all libraries.
"""

from __future__ import annotations

import heapq  # noqa: F401 - Counter.most_common imports it when it is called, which the sandbox would not let it
from collections.abc import Iterator, Mapping
from typing import Final

from memory_mcp.documents.readers import (
    chats,
    code,
    csv_,
    docx,
    epub,
    html,
    json_,
    mail,
    markdown,
    notebook,
    odt,
    pdf,
    pptx,
    sheets,
    sniff,
    text,
    whatsapp,
)
from memory_mcp.documents.readers.model import DocumentItem, DocumentReader, DocumentSource, Refusal, RefusedError

_OFFICE: Final = "application/vnd.openxmlformats-officedocument"
_OPEN: Final = "application/vnd.oasis.opendocument"


def read(source: DocumentSource) -> Iterator[DocumentItem]:
    """Yield what a file holds, read by what it is, whatever its name. Raises RefusedError."""
    media_type = sniff.media_type(source)
    reader = READERS.get(media_type)
    if reader is None:
        raise RefusedError(Refusal.NO_READER, f"Files of the type {media_type} have no reader. Save it as PDF or text.")
    source.file.seek(0)
    yield from reader(source)


def _message(source: DocumentSource) -> Iterator[DocumentItem]:
    return mail.read(source, read)


def _mailbox(source: DocumentSource) -> Iterator[DocumentItem]:
    return mail.read_mbox(source, read)


READERS: Final[Mapping[str, DocumentReader]] = {
    "text/plain": text.read,
    "text/markdown": markdown.read,
    "text/html": html.read,
    "text/csv": csv_.read,
    "text/x-source": code.read,
    "text/x-whatsapp": whatsapp.read,
    "application/json": json_.read,
    "application/jsonl": json_.read_lines,
    "application/x-ipynb+json": notebook.read,
    "application/x-conversations": chats.read_conversations,
    "application/x-claude-code": chats.read_session,
    "application/epub+zip": epub.read,
    "application/pdf": pdf.read,
    "application/vnd.ms-excel": sheets.read,
    f"{_OFFICE}.wordprocessingml.document": docx.read,
    f"{_OFFICE}.presentationml.presentation": pptx.read,
    f"{_OFFICE}.spreadsheetml.sheet": sheets.read,
    f"{_OPEN}.text": odt.read,
    f"{_OPEN}.spreadsheet": sheets.read,
    "message/rfc822": _message,
    "application/mbox": _mailbox,
}
