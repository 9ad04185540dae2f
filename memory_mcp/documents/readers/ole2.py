"""Tells what is in an OLE2 container (the files of Office before 2007, and encrypted ones since) to refuse it well."""

from __future__ import annotations

from typing import BinaryIO, Final

from memory_mcp.documents.readers.model import Refusal, RefusedError

SIGNATURE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENTRY_BYTES: Final = 128
"""Of an entry of the container's directory, which begins with its name; entries lie at multiples of that."""
_CHUNK: Final = 2**20
_ENCRYPTED: Final = "EncryptedPackage"
_LEGACY: Final = {"WordDocument": "DOCX", "PowerPoint Document": "PPTX"}


def is_ole2(file: BinaryIO) -> bool:
    """Say whether a file is such a container."""
    file.seek(0)
    return file.read(len(SIGNATURE)) == SIGNATURE


def refusal(file: BinaryIO) -> RefusedError | None:
    """Return why no reader reads a container; None for what may be an old workbook, which calamine reads."""
    names = _names(file)
    if _ENCRYPTED in names:
        return RefusedError(Refusal.PASSWORD_NEEDED, "The file needs a password. Save a copy without one.")
    for name, better in _LEGACY.items():
        if name in names:
            return RefusedError(
                Refusal.NO_READER,
                f"The file is of an Office before 2007. Open it in its program and save it as {better}.",
            )
    return None


def _names(file: BinaryIO) -> set[str]:
    """Return those of the names above that stand in the directory, wherever in the file it lies."""
    wanted = {f"{name}\0".encode("utf-16-le"): name for name in (_ENCRYPTED, *_LEGACY)}
    file.seek(0)
    found = set()
    while chunk := file.read(_CHUNK):
        for encoded, name in wanted.items():
            at = chunk.find(encoded)
            while at >= 0 and at % _ENTRY_BYTES:
                at = chunk.find(encoded, at + 1)
            if at >= 0:
                found.add(name)
    return found
