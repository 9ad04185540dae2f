"""The shared documents of text formats: what their manifest says a correct reader yields."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from memory_mcp.documents.readers import registry
from memory_mcp.documents.readers.model import DocumentSource, RefusedError, TextBlock
from memory_mcp.documents.readers.sectioning import MOST, sections
from tests.front.documents.reading import DOCUMENTS, Told

MANIFEST = DOCUMENTS / "manifest.json"
BINARY = ("pdf", "docx", "pptx", "xlsx")


def _entries() -> list[Mapping[str, Any]]:
    if not MANIFEST.exists():
        return []
    entries: list[Mapping[str, Any]] = json.loads(MANIFEST.read_text())["documents"]
    return [entry for entry in entries if entry["format"] not in BINARY]


def _folded(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.skipif(not MANIFEST.exists(), reason="the shared documents are not here")
@pytest.mark.parametrize("entry", _entries(), ids=lambda entry: entry["file"])
def test_manifest(entry: Mapping[str, Any]) -> None:
    """Each file yields the strings and headings that it must, none that it must not, or the refusal that is right."""
    items, refusals = [], set()
    with (DOCUMENTS / entry["file"]).open("rb") as file:
        try:
            for item in registry.read(DocumentSource(file, entry["file"])):
                items.append(item)
                if not isinstance(item, TextBlock) and item.refused is not None:
                    refusals.add(item.refused.refusal.value)
        except RefusedError as error:
            refusals.add(error.refusal.value)
    told = Told(tuple(items))
    text = _folded(" ".join([*(header.title or "" for header in told.headers), *_written(told)]))
    assert not [words for words in entry.get("forbid", ()) if words in text]
    if entry.get("alternative") in refusals or entry.get("refusal"):
        assert refusals <= {entry.get("alternative"), entry.get("refusal")}
        assert refusals
        return
    assert not [words for words in entry["expect"] if _folded(words) not in text]
    assert set(entry.get("headings", ())) <= set(told.headings)
    assert not refusals


def _written(told: Told) -> list[str]:
    """Return the words as they will be stored: the sections, and their headings."""
    found = list(sections(told.blocks))
    assert all(section.text and len(section.text) <= MOST for section in found)
    return [word for section in found for word in (*section.heading, section.text)]
