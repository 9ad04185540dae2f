"""Which reader reads what. A new one is a file beside this one and a line in `READERS`.

The reader process imports this module before its sandbox closes, and the front never: it imports all libraries.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from memory_mcp.documents.readers import (
    chats,
    code,
    csv_,
    epub,
    html,
    json_,
    mail,
    markdown,
    notebook,
    sniff,
    text,
    whatsapp,
)
from memory_mcp.documents.readers.model import Item, Reader, Refusal, RefusedError, Source

DOCX: Final = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


def read(source: Source) -> Iterator[Item]:
    """Yield what a file holds, read by what it is, whatever its name. Raises RefusedError."""
    media_type = sniff.media_type(source)
    reader = READERS.get(media_type)
    if reader is None:
        raise RefusedError(Refusal.NO_READER, f"Files of the type {media_type} have no reader. Save it as PDF or text.")
    source.file.seek(0)
    yield from reader(source)


def _message(source: Source) -> Iterator[Item]:
    return mail.read(source, read)


def _mailbox(source: Source) -> Iterator[Item]:
    return mail.read_mbox(source, read)


READERS: Final[Mapping[str, Reader]] = {
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
    "message/rfc822": _message,
    "application/mbox": _mailbox,
}
