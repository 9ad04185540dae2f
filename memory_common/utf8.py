"""Text from files and stdin: UTF-8, with a byte order mark or without."""

from __future__ import annotations

import codecs
from typing import Final

NOT_UTF8: Final = "is not UTF-8"

_OTHER_MARKS: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class NotUtf8Error(ValueError):
    """The bytes are no UTF-8; the message says in which line."""


def is_text(text: str) -> bool:
    """Whether a text has no lone surrogates, by which Python stands in for bytes that it could not read."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def decoded(data: bytes, first_line: int = 1) -> str:
    """Return the text of some bytes, without the byte order mark that they may begin with.

    Args:
        data: a whole file, or one line of it.
        first_line: the number of its first line.

    Raises:
        NotUtf8Error: they are no UTF-8.
    """
    if data.startswith(_OTHER_MARKS) and first_line == 1:
        raise NotUtf8Error("line 1 begins like UTF-16; save it as UTF-8")
    data = data.removeprefix(codecs.BOM_UTF8) if first_line == 1 else data
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = first_line + data.count(b"\n", 0, error.start)
        raise NotUtf8Error(f"line {line} is not UTF-8 (byte 0x{data[error.start]:02x}); save it as UTF-8") from error
