"""Reads Jupyter notebooks: text with its headings, code, and what it printed; no pictures."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final

from memory_mcp.documents.readers import charsets, json_, markdown
from memory_mcp.documents.readers.json_ import Json, as_dict, as_list, as_str
from memory_mcp.documents.readers.model import DocumentItem, DocumentSource, Header, TextBlock
from memory_mcp.documents.readers.outline import TextOutline
from memory_mcp.documents.readers.plain import cut, empty, too_deep

MAX_OUTPUT: Final = 2_000
"""Characters of what one cell printed."""


def read(source: DocumentSource) -> Iterator[DocumentItem]:
    try:
        notebook = as_dict(json.loads(charsets.decoded(charsets.whole(source.file))))
    except RecursionError as error:
        raise too_deep() from error
    except ValueError:
        notebook = {}
    if not isinstance(notebook.get("cells"), list):
        yield from json_.read(source)
        return
    outline = TextOutline()
    blocks = _blocks(notebook, outline)
    first = next(blocks, None)
    if first is None:
        raise empty()
    title = as_str(as_dict(notebook.get("metadata")).get("title"))
    yield Header(title=title or outline.first, media_type="application/x-ipynb+json")
    yield first
    yield from blocks


def _blocks(notebook: dict[str, Json], outline: TextOutline) -> Iterator[TextBlock]:
    language = as_str(as_dict(as_dict(notebook.get("metadata")).get("language_info")).get("name"))
    for cell in map(as_dict, as_list(notebook.get("cells"))):
        text = _joined(cell.get("source"))
        match cell.get("cell_type"):
            case "markdown":
                yield from markdown.blocks_of(text, outline)
            case "code" if text.strip():
                yield from outline.block(f"```{language}\n{text.rstrip()}\n```")
                for output in map(as_dict, as_list(cell.get("outputs"))):
                    yield from outline.block(cut(_printed(output), MAX_OUTPUT))
            case _:
                yield from outline.block(text)
    yield from outline.end()


def _printed(output: dict[str, Json]) -> str:
    if output.get("output_type") == "error":
        return f"{as_str(output.get('ename'))}: {as_str(output.get('evalue'))}"
    return _joined(output.get("text")) or _joined(as_dict(output.get("data")).get("text/plain"))


def _joined(value: Json) -> str:
    """Return a text that stands as one string, or as a list of its lines."""
    return value if isinstance(value, str) else "".join(map(as_str, as_list(value)))
