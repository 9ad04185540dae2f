"""Whatever the bytes: a reader yields text or refuses, opens no file, and imports nothing on the way."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memory_mcp.documents.readers import registry
from memory_mcp.documents.readers.model import DocumentReader, DocumentSource, Header, RefusedError, TextBlock
from memory_mcp.documents.readers.sectioning import MOST, sections
from tests.front.documents.reading import DOCUMENTS

TEXTS: Final = {kind: reader for kind, reader in registry.READERS.items() if "officedocument" not in kind}
SCRAPS: Final = st.sampled_from(
    [
        *(b'{"', b'": [', b"}, ", b"<p>", b"<table><tr><td>", b"</", b"<!--", b"# ", b"\n\n", b"- ", b"```\n"),
        *(b"| a |\n|-|\n", b"=?utf-8?q?", b"?=", b"From a@b Mon 1 2025\nFrom: x\nTo: y\nSubject: =?utf-8?b?"),
        *(b"Content-Type: multipart/mixed; boundary=x\n\n--x\n", b"PK\x03\x04", b"%PDF-", b"\xff\xfe"),
        *(b"\xef\xbb\xbf", b"\x1b$B", b"\xe4\xf6", b"\x00", b'"mapping": {"a": 1}', b"def a():\n", b"class "),
        *(b"[1.2.25, 9:14] A: ", b'{"cells": [3], "nbformat": 4}', b";,\t|", b'"'),
    ]
)
PIECES: Final = SCRAPS | st.binary(max_size=20) | st.text(max_size=20).map(str.encode)
BYTES: Final = st.lists(PIECES, max_size=12).map(b"".join)


def _read(reader: DocumentReader, data: bytes, name: str = "") -> None:
    try:
        items = list(reader(DocumentSource(io.BytesIO(data), name)))
    except RefusedError:
        return
    assert isinstance(items[0], Header)
    blocks = [item for item in items if isinstance(item, TextBlock)]
    assert all(block.text.strip() for block in blocks)
    for section in sections(blocks):
        assert len(section.text.encode().decode()) <= MOST


@given(data=BYTES, name=st.sampled_from(["", "a.md", "a.json", "a.eml", "a.csv", "a.py", "a.rs", "a.html", "a.ipynb"]))
@settings(max_examples=200)
def test_any(data: bytes, name: str) -> None:
    """Reading by what it seems to be never fails otherwise than by a refusal."""
    _read(registry.read, data, name)


@pytest.mark.parametrize("kind", TEXTS)
@given(data=BYTES)
@settings(max_examples=25)
def test_any_reader(kind: str, data: bytes) -> None:
    """Nor does a reader that was given what is not its own."""
    _read(TEXTS[kind], data)


OFFLINE: Final = """
import encodings, importlib, io, pkgutil, sys
for module in pkgutil.iter_modules(encodings.__path__):
    if module.name not in ("mbcs", "oem", "cp65001"):
        importlib.import_module(f"encodings.{module.name}")
from memory_mcp.documents.readers import registry
from memory_mcp.documents.readers.model import RefusedError, DocumentSource
files = [(name, open(name, "rb").read()) for name in sys.argv[1:]]
def refuse(event, arguments):
    if event in ("open", "import", "socket.__new__", "subprocess.Popen", "os.listdir", "tempfile.mkstemp"):
        raise SystemExit(f"{event}: {arguments[0]!r}")
before = set(sys.modules)
sys.addaudithook(refuse)
for name, data in files:
    try:
        for item in registry.read(DocumentSource(io.BytesIO(data), name)):
            pass
    except RefusedError:
        pass
assert set(sys.modules) == before
"""


def test_opens_nothing(tmp_path: Path) -> None:
    """Once they are imported, readers open no file and import no module: the sandbox would not let them."""
    made = {
        "a.md": b"# A\n\n[b](c) `d` &amp; <i>x</i>\n\n| a | b |\n|---|---|\n| 1 | 2 |\n",
        "b.txt": "Für die Gäste lag der Schlüssel schön unter dem großen Topf.".encode("cp1252"),
        "c.html": b"<meta charset=koi8-r><p>" + "Однажды, в студеную зимнюю пору".encode("koi8-r"),
        "d.eml": b"From: a@b\nTo: c@d\nSubject: =?iso-8859-2?q?=B1?=\nDate: Tue, 04 Mar 2025 10:00:00 +0100\n\nx\n",
        "e.json": b'[{"a": 1.5}, "b"]',
        "f.csv": b"a;b\n1;2\n",
        "g.py": b"def f():\n    return 1\n",
    }
    for name, data in made.items():
        (tmp_path / name).write_bytes(data)
    files = [*tmp_path.iterdir(), *(DOCUMENTS.iterdir() if DOCUMENTS.exists() else ())]
    small = [str(path) for path in files if path.stat().st_size < 100_000]
    done = subprocess.run([sys.executable, "-c", OFFLINE, *small], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
