"""Reads e-mail, .eml and .mbox: one document a message, and one for each file attached to it.

The standard library takes messages apart, by its old policy: the new one raises on headers that real messages have.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from email.errors import MessageError
from email.header import decode_header
from email.message import Message
from email.parser import BytesParser
from email.utils import collapse_rfc2231_value, parsedate_to_datetime
from typing import BinaryIO, Final

from memory_mcp.documents.readers import charsets, html, text
from memory_mcp.documents.readers.model import (
    DocumentItem,
    DocumentReader,
    DocumentSource,
    Header,
    Refusal,
    RefusedError,
    TextBlock,
)
from memory_mcp.documents.readers.outline import TextOutline
from memory_mcp.documents.readers.plain import cut, empty, one_line, too_deep

MAX_MESSAGE_BYTES: Final = charsets.MAX_TEXT_BYTES
MAX_PARTS: Final = 500
MAX_LINE_BYTES: Final = 1024 * 1024
MAX_TITLE: Final = 200
TOLD: Final = ("From", "To", "Cc", "Date", "Subject")
"""Headers that are part of the text."""

_FROM_LINE: Final = re.compile(rb"From \S.*\d{4}\s*$|From -\s*$|From \S+\s*$")
_QUOTED_FROM: Final = re.compile(rb"^>(>*From )", re.MULTILINE)
_ENCRYPTED_TYPES: Final = ("multipart/encrypted", "application/pkcs7-mime", "application/x-pkcs7-mime")
_ARMOUR: Final = re.compile(r"-----BEGIN PGP MESSAGE-----.*?(?:-----END PGP MESSAGE-----|\Z)", re.DOTALL)


def read(source: DocumentSource, read_attachment: DocumentReader) -> Iterator[DocumentItem]:
    """Read one message; `read_attachment` reads the files attached to it."""
    yield from _message(charsets.whole(source.file), "", read_attachment)


def read_mbox(source: DocumentSource, read_attachment: DocumentReader) -> Iterator[DocumentItem]:
    """Read a mailbox. A part is named by its message's id, so that it is the same where others were removed."""
    names: dict[str, int] = {}
    found = False
    for data in _messages(source.file):
        found = True
        name = _name(data)
        names[name] = names.get(name, 0) + 1
        part = name if names[name] == 1 else f"{name}-{names[name]}"
        try:
            yield from _message(data, part, read_attachment)
        except RefusedError as error:
            yield Header(part=part, media_type="message/rfc822", refused=error)
    if not found:
        raise empty()


def _messages(file: BinaryIO) -> Iterator[bytes]:
    """Yield the messages between From lines; of one that is too large, its beginning and one byte too many."""
    file.seek(0)
    lines: list[bytes] = []
    size = 0
    after_blank = True
    is_open = False
    while line := file.readline(MAX_LINE_BYTES):
        if after_blank and _FROM_LINE.match(line):
            if is_open:
                yield _QUOTED_FROM.sub(rb"\1", b"".join(lines))
            lines, size, is_open = [], 0, True
        elif size <= MAX_MESSAGE_BYTES:
            lines.append(line)
            size += len(line)
        after_blank = not line.strip()
    if is_open:
        yield _QUOTED_FROM.sub(rb"\1", b"".join(lines))


def _name(data: bytes) -> str:
    found = re.search(rb"^Message-ID:\s*(\S+)", data[:32_768], re.IGNORECASE | re.MULTILINE)
    return f"message-{hashlib.sha256(found[1] if found else data).hexdigest()[:12]}"


def _message(data: bytes, part: str, read_attachment: DocumentReader) -> Iterator[DocumentItem]:
    if len(data) > MAX_MESSAGE_BYTES:
        raise RefusedError(
            Refusal.TOO_LARGE, f"The message is larger than {MAX_MESSAGE_BYTES:,} bytes. Save its files by themselves."
        )
    try:
        message = BytesParser().parsebytes(data)
        yield from _document(message, part)
        files = _attached(message)
    except RecursionError as error:
        raise too_deep() from error
    names: set[str] = set()
    for number, file in enumerate(files, 1):
        name = _file_name(file) or str(number)
        name = f"{number}-{name}" if name in names else name
        names.add(name)
        yield from _attachment(file, f"{part}/{name}".lstrip("/"), read_attachment)


def _document(message: Message, part: str) -> Iterator[DocumentItem]:
    """Yield the message itself, without what is attached to it."""
    header = Header(
        part=part,
        title=cut(_header(message, "Subject"), MAX_TITLE) or None,
        media_type="message/rfc822",
        created_at=_date(message),
    )
    told = "\n".join(f"{name}: {value}" for name in TOLD if (value := _header(message, name)))
    blocks = list(_body(message))
    if not blocks and _is_encrypted(message):
        people = "; ".join(f"{name}: {value}" for name in TOLD[:2] if (value := _header(message, name)))
        sentence = "The message is encrypted. Decrypt it in your mail program and save it from there."
        title = cut(f"{header.title or 'Encrypted message'} ({people})", MAX_TITLE)
        yield replace(header, title=title, refused=RefusedError(Refusal.ENCRYPTED, sentence))
        return
    if not blocks and not told:
        raise empty()
    yield header
    attached = ", ".join(filter(None, map(_file_name, _attached(message))))
    yield TextBlock(f"{told}\nAttached: {attached}".lstrip() if attached else told or "(no headers)")
    yield from blocks


def _body(message: Message) -> Iterator[TextBlock]:
    """Yield the text: of the same text in two forms the plain one, unless it is empty."""
    kind = message.get_content_type()
    if kind in _ENCRYPTED_TYPES:
        return
    if message.is_multipart():
        parts = _children(message)
        if kind == "multipart/alternative":
            yield from _best(parts)
        elif kind != "message/rfc822":
            for part in parts:
                yield from _body(part)
    elif not _is_file(message) and kind in ("text/plain", "text/html"):
        yield from _text(message, kind)


def _best(parts: list[Message]) -> Iterator[TextBlock]:
    for part in sorted(parts, key=lambda part: part.get_content_type() != "text/plain"):
        blocks = list(_body(part))
        if blocks:
            yield from blocks
            return


def _text(message: Message, kind: str) -> Iterator[TextBlock]:
    written = _decoded(message)
    if kind == "text/html":
        outline = TextOutline()
        yield from html.blocks_of(html.parsed(written), outline)
    else:
        for paragraph in text.paragraphs(io.StringIO(_ARMOUR.sub("", written))):
            yield TextBlock(paragraph)


def _decoded(message: Message) -> str:
    declared = message.get_param("charset")
    return charsets.decoded(_payload(message), collapse_rfc2231_value(declared) if declared else None)


def _payload(message: Message) -> bytes:
    data = message.get_payload(decode=True)
    return data if isinstance(data, bytes) else b""


def _children(message: Message) -> list[Message]:
    parts = message.get_payload()
    return [part for part in parts if isinstance(part, Message)] if isinstance(parts, list) else []


def _is_encrypted(message: Message) -> bool:
    if message.get_content_type() in _ENCRYPTED_TYPES:
        return True
    return any(b"-----BEGIN PGP MESSAGE-----" in _payload(part) for part in message.walk() if not part.is_multipart())


def _is_file(message: Message) -> bool:
    return message.get_content_disposition() == "attachment" or bool(_file_name(message))


def _attached(message: Message) -> list[Message]:
    """Return the files of a message, and the messages in it; not those within them, nor pictures of the text itself."""
    if message.get_content_type() in _ENCRYPTED_TYPES:
        return []
    found: list[Message] = []
    waiting = [message]
    while waiting and len(found) < MAX_PARTS:
        part = waiting.pop()
        if part.get_content_type() == "message/rfc822" and part is not message:
            found.append(part)
        elif part.is_multipart():
            waiting += reversed(_children(part))
        elif part is not message and _is_file(part) and not _is_picture_of_text(part):
            found.append(part)
    return found


def _is_picture_of_text(part: Message) -> bool:
    is_told = part.get_content_disposition() == "attachment" and part.get("Content-ID") is None
    return part.get_content_maintype() == "image" and not is_told


def _attachment(file: Message, part: str, read_attachment: DocumentReader) -> Iterator[DocumentItem]:
    name = _file_name(file)
    try:
        if file.get_content_type() == "message/rfc822":
            forwarded = next(iter(_children(file)), None)
            items = _document(forwarded, part) if forwarded is not None else iter(())
        else:
            items = read_attachment(DocumentSource(io.BytesIO(_payload(file)), name, file.get_content_type()))
        for item in items:
            yield _within(item, part, name) if isinstance(item, Header) else item
    except RefusedError as error:
        yield Header(part=part, title=name or None, media_type=file.get_content_type(), refused=error)


def _within(header: Header, part: str, name: str) -> Header:
    own = header.part.removeprefix(part).lstrip("/")
    return replace(header, part=f"{part}/{own}" if own else part, title=header.title or name or None)


def _file_name(message: Message) -> str:
    raw = message.get_filename() or ""
    return cut(_words(raw).replace("/", "_"), 120)


def _header(message: Message, name: str) -> str:
    raw = next((str(value) for key, value in message.raw_items() if key.lower() == name.lower()), "")
    return _words(_told(raw.encode("ascii", "surrogateescape"), None))


def _words(text: str) -> str:
    """Decode the encoded words of a header; what does not decode is left out."""
    try:
        pieces = decode_header(text)
    except (MessageError, ValueError, LookupError, AssertionError):  # what broken encoded words raise
        pieces = [(text, None)]
    return one_line("".join(_word(piece, charset) for piece, charset in pieces))


def _word(piece: str | bytes, charset: str | None) -> str:
    if isinstance(piece, str):
        return piece
    return piece.decode("raw-unicode-escape", "ignore") if charset is None else _told(piece, charset)


def _told(data: bytes, charset: str | None) -> str:
    try:
        return charsets.decoded(data, charset)
    except RefusedError:
        return data.decode("ascii", "ignore")


def _date(message: Message) -> datetime | None:
    try:
        date = parsedate_to_datetime(_header(message, "Date"))
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return date.replace(tzinfo=UTC) if date.tzinfo is None else date
