"""What a file is: by its content first, then by its name, then by what its sender says."""

from __future__ import annotations

import io
import zipfile

import pytest

from memory_mcp.documents.readers import sniff
from memory_mcp.documents.readers.model import DocumentSource, Refusal, RefusedError
from tests.front.documents.reading import refused

MAIL = "From: a@example.org\nTo: b@example.org\nSubject: Hello\n\nGood morning.\n"
PAGE = "<!DOCTYPE html>\n<html><body><p>Hello</p></body></html>"


def _zip(**members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in members.items():
            archive.writestr(name.replace("__", "/"), data)
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "name", "media_type"),
    [
        ("%PDF-1.7\n", "a.txt", "application/pdf"),
        (PAGE, "a.txt", "text/html"),
        (PAGE, "a.md", "text/markdown"),
        ("<?xml version='1.0'?>\n<!-- made by hand -->\n" + PAGE, "a", "text/html"),
        (MAIL, "a.txt", "message/rfc822"),
        (MAIL.replace("\n", "\r\n"), "", "message/rfc822"),
        ("From x@y Mon Sep  1 08:00:00 2025\n" + MAIL, "inbox", "application/mbox"),
        ("To: whom it may concern\n\nGood morning.", "a.txt", "text/plain"),
        ('{"a": 1}', "", "application/json"),
        ('{"a": 1}\n{"a": 2}\n', "", "application/jsonl"),
        ('{"a": 1}\n{"a": 2}\n', "a.json", "application/jsonl"),
        ('{"a": 1}', "a.py", "text/x-source"),
        ("[a link](there) and more", "a.md", "text/markdown"),
        ("[a link](there) and more", "", "text/plain"),
        ('{"cells": [{"cell_type": "code", "source": []}], "nbformat": 4}', "a.json", "application/x-ipynb+json"),
        ("01/02/2025, 9:14 - Mia: hi\n01/02/2025, 9:15 - Tom: hi\n", "chat.txt", "text/x-whatsapp"),
        ("# Heading", "README.MD", "text/markdown"),
        ("all:\n\techo", "Makefile", "text/x-source"),
        ("a;b", "x.csv", "text/csv"),
        ("words", "noname", "text/plain"),
    ],
)
def test_text(content: str, name: str, media_type: str) -> None:
    """Text is told by its structure where that is certain, else by its name."""
    assert sniff.media_type(DocumentSource(io.BytesIO(content.encode()), name)) == media_type


def test_sender() -> None:
    """What the sender says counts where neither content nor name tells."""
    assert (
        sniff.media_type(DocumentSource(io.BytesIO(b"# A"), "note", "text/markdown; charset=utf-8")) == "text/markdown"
    )
    assert sniff.media_type(DocumentSource(io.BytesIO(b"# A"), "note.txt", "text/markdown")) == "text/plain"
    assert sniff.media_type(DocumentSource(io.BytesIO(b"# A"), "note", "application/pdf")) == "text/plain"


@pytest.mark.parametrize(
    ("members", "media_type"),
    [
        ({"mimetype": b"application/epub+zip"}, "application/epub+zip"),
        ({"mimetype": b"application/vnd.oasis.opendocument.text"}, "application/vnd.oasis.opendocument.text"),
        (
            {"word__document.xml": b""},
            "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        ),
        ({"xl__workbook.xml": b""}, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
        (
            {"ppt__presentation.xml": b""},
            "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        ),
    ],
)
def test_zip(members: dict[str, bytes], media_type: str) -> None:
    """A zip is what its members say, whatever its name."""
    assert sniff.media_type(DocumentSource(io.BytesIO(_zip(**members)), "x.pdf")) == media_type


@pytest.mark.parametrize(
    ("content", "refusal"),
    [
        (b"", Refusal.EMPTY),
        (b" \n\r\n\t", Refusal.EMPTY),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", Refusal.NO_READER),
        (b"RIFF\x24\0\0\0WEBPVP8 ", Refusal.NO_READER),
        (b"{\\rtf1 Hello}", Refusal.NO_READER),
        (b"<?xml version='1.0'?>\n<!-- x -->\n<svg xmlns='http://www.w3.org/2000/svg'/>", Refusal.NO_READER),
        (b"%!PS-Adobe-3.0\n", Refusal.NO_READER),
        (b"\x1f\x8b\x08\0" * 10, Refusal.NO_READER),
        (bytes(range(256)) * 4, Refusal.NO_READER),
        (b"\x7fELF\x02\x01\x01\0" + b"\0" * 60, Refusal.NO_READER),
        (b"PK\x03\x04" + b"x" * 200, Refusal.DAMAGED),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, Refusal.DAMAGED),
    ],
)
def test_without_reader(content: bytes, refusal: Refusal) -> None:
    """What no reader can read says why, at once."""
    assert refused(content, "x.txt") is refusal


def test_archive() -> None:
    """An archive of files is not read; it says to unpack it."""
    with pytest.raises(RefusedError, match="Unpack it") as caught:
        sniff.media_type(DocumentSource(io.BytesIO(_zip(a=b"1")), "export.zip"))
    assert caught.value.refusal is Refusal.NO_READER


def test_mislabelled_text() -> None:
    """A control character or two do not make a text binary."""
    assert sniff.media_type(DocumentSource(io.BytesIO(b"line\x0cpage two\x1b[0m of it" * 3), "")) == "text/plain"
