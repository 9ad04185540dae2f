"""The readers of binary formats on files of other people's programs: `../shared/data/documents`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from memory_mcp.documents.readers import docx, pdf, pptx, sheets
from memory_mcp.documents.readers.model import DocumentReader, RefusedError
from tests.front.documents.made import Read, whole

FOLDER = Path(__file__).parents[4] / "shared/data/documents"
MANIFEST = FOLDER / "manifest.json"
READERS: dict[str, DocumentReader] = {"pdf": pdf.read, "docx": docx.read, "pptx": pptx.read, "xlsx": sheets.read}


def documents(*, refused: bool) -> Iterator[Any]:
    """Yield the manifest's entries of these formats: those that are refused, or the others."""
    if not MANIFEST.exists():
        yield pytest.param({}, marks=pytest.mark.skip(reason=f"{MANIFEST} is not there"), id="none")
        return
    for entry in json.loads(MANIFEST.read_text(encoding="utf-8"))["documents"]:
        if entry["format"] in READERS and ("refusal" in entry) is refused:
            yield pytest.param(entry, id=entry["file"])


def read(entry: dict[str, Any]) -> Read:
    """Read an entry's file with the reader of its format."""
    return whole(READERS[entry["format"]], (FOLDER / entry["file"]).read_bytes())


def folded(text: str) -> str:
    """Return a text with its white space folded."""
    return " ".join(text.split())


@pytest.mark.parametrize("entry", list(documents(refused=False)))
def test_what_is_read(entry: dict[str, Any]) -> None:
    """Each text is there, what is forbidden is not; headings are headings, and pages have their number."""
    found = read(entry)
    texts = [(block.page, folded("\n".join((*block.heading, block.repeated, block.text)))) for block in found.blocks]
    everything = folded("\n".join(text for _, text in texts))
    assert [text for text in entry["expect"] if folded(text) not in everything] == []
    assert [text for text in entry.get("forbid", ()) if text in everything] == []
    assert [heading for heading in entry.get("headings", ()) if heading not in found.headings] == []
    for page, text in entry.get("pages", {}).items():
        assert any(number == int(page) and text in content for number, content in texts), (page, text)


@pytest.mark.parametrize("entry", list(documents(refused=True)))
def test_what_is_refused(entry: dict[str, Any]) -> None:
    """A file that cannot be read is refused with the manifest's reason, in a sentence that says what to do."""
    with pytest.raises(RefusedError) as error:
        read(entry)
    assert error.value.refusal == entry["refusal"]
    assert not [text for text in entry.get("forbid", ()) if text in error.value.sentence]
    assert error.value.sentence.count(". ") >= 1
