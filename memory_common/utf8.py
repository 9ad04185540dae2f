"""Text from files and stdin: UTF-8, with a byte order mark or without."""

from __future__ import annotations

import codecs
from typing import Final

NOT_UTF8: Final = "is not UTF-8"

_OTHER_MARKS: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class NotUtf8Error(ValueError):
    """The bytes are not UTF-8; the message names the line."""


def is_text(text: str) -> bool:
    """Whether a text has no lone surrogates, which Python substitutes for undecodable bytes."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def decoded(data: bytes, first_line: int = 1) -> str:
    """Decode bytes, without a leading byte order mark.

    Args:
        data: a whole file, or one line of it.
        first_line: the number of the first line.

    Raises:
        NotUtf8Error: they are not UTF-8.
    """
    if data.startswith(_OTHER_MARKS) and first_line == 1:
        raise NotUtf8Error("line 1 begins like UTF-16; save it as UTF-8")
    data = data.removeprefix(codecs.BOM_UTF8) if first_line == 1 else data
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = first_line + data.count(b"\n", 0, error.start)
        raise NotUtf8Error(f"line {line} is not UTF-8 (byte 0x{data[error.start]:02x}); save it as UTF-8") from error
