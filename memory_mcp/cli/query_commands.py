"""`memory-mcp search`, `list` and `get`: the tools of the same names."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

import click

from memory_mcp.cli import DEGRADED
from memory_mcp.cli.options import call, options_of
from memory_mcp.cli.output import bold, clean, counted, note, on_terminal, print_json, print_long, print_rows, when
from memory_mcp.cli.session import as_json_option
from memory_mcp.search.models import HitExplanation
from memory_mcp.tools.explained import made_of
from memory_mcp.tools.fields import MemoryFields
from memory_mcp.tools.get import GET, RevisionFields, WholeMemory
from memory_mcp.tools.listing import LIST
from memory_mcp.tools.search import SEARCH, SearchHit, SearchResult

SHOWN_CHARS: Final = 400
"""Maximum characters of a content in a table."""

COLUMNS: Final = ("id", "created", "content", "tags")
EXPLAINED: Final = ("cosine", "context", "semantic", "own", "near", "keyword", "fused", "more", "age")
"""What made the score: of its passage and in its conversation, both joined; of its words and its neighbours'; all.

"more" is what its time, length, part in the conversation and tags added or took; `--json` tells them apart.
"""


@click.command()
@click.argument("query", nargs=-1, required=True)
@options_of(SEARCH, "query", "explain")
@click.option("--explain", is_flag=True, help="Show what each step of the search contributed to each result.")
@as_json_option
def search(*, query: tuple[str, ...], as_json: bool, **options: object) -> int:
    """Find memories by meaning and keywords.

    QUERY is a question or keywords in any language; "quotes" require an exact phrase.
    """
    result = call(SEARCH, {"query": " ".join(query), **options})
    if as_json:
        print_json(result)
    else:
        _print_hits(result)
        for remark in result.remarks():
            note(remark)
    return DEGRADED if result.degraded else 0


@click.command("list")
@options_of(LIST)
@as_json_option
def list_(*, as_json: bool, **options: object) -> None:
    """List memories, newest first."""
    result = call(LIST, options)
    if as_json:
        print_json(result)
        return
    print_rows(COLUMNS, [_row(memory) for memory in result.memories])
    note(f"{len(result.memories)} of {counted(result.total, 'memory', 'memories')}")
    if result.next_cursor:
        note(f"more: --cursor {result.next_cursor}")


@click.command()
@click.argument("id")
@options_of(GET, "id")
@as_json_option
def get(*, as_json: bool, **options: object) -> None:
    """Show the memory ID in full."""
    result = call(GET, options)
    if as_json:
        print_json(result)
    else:
        print_long("\n\n".join([_whole(result), *map(_was, result.revisions or [])]))
        if result.next_offset is not None:
            note(f"more: --offset {result.next_offset}")


def _print_hits(result: SearchResult) -> None:
    """Print the hits as a table; explanations are a second table on a terminal, more columns elsewhere."""
    columns, rows = (*COLUMNS, "score"), [(*_row(hit), f"{hit.score:.2f}") for hit in result.results]
    if result.explain is None:
        print_rows(columns, rows)
        return
    explained = [_explained(hit) for hit in result.explain]
    if on_terminal():
        numbers = [str(hit.rank) for hit in result.explain]
        print_rows((*columns, "#"), [(*row, number) for row, number in zip(rows, numbers, strict=True)])
        note("")
        print_rows(("#", *EXPLAINED), [(number, *each) for number, each in zip(numbers, explained, strict=True)])
    else:
        heads = [(*columns, *EXPLAINED)] if rows else []  # too many columns to know them by heart
        print_rows((), [*heads, *((*row, *each) for row, each in zip(rows, explained, strict=True))])
    if result.explain_query is not None:
        for line in made_of(result.explain_query, result.explain_documents):
            note(line)


def _explained(hit: HitExplanation) -> tuple[str, ...]:
    """Return the cells for `EXPLAINED`: scores, with ranks if there are any."""
    return (
        _ranked(hit.cosine, hit.cosine_rank),
        _ranked(hit.context),
        _ranked(hit.semantic, hit.semantic_rank),
        _ranked(hit.own),
        _ranked(hit.neighbours),
        _ranked(hit.keyword, hit.keyword_rank),
        _ranked(hit.fused, hit.fused_rank),
        f"{more:+.2f}" if (more := hit.time + hit.length + hit.turn + hit.tag_lift) else "-",
        f"{hit.age_shift:+d}" if hit.age_shift else "-",
    )


def _ranked(score: float | None, rank: int | None = None) -> str:
    shown = "-" if score is None else f"{score:.2f}"
    return shown if rank is None else f"{shown} #{rank}"


def _row(memory: MemoryFields) -> tuple[str, ...]:
    return memory.id, when(memory.created_at), _brief(memory), ", ".join(memory.tags)


def _brief(memory: MemoryFields) -> str:
    """Return where it lies in a document, and the best passage, or the beginning."""
    hit = memory if isinstance(memory, SearchHit) else None
    lies = f"[{hit.document.text()}] " if hit and hit.document else ""
    text = (hit.passage if hit else None) or memory.content
    return lies + (text if len(text) <= SHOWN_CHARS else text[:SHOWN_CHARS] + "…")


def _whole(memory: WholeMemory) -> str:
    facts = {
        "id": memory.id,
        "type": memory.type,
        "tags": ", ".join(memory.tags),
        "metadata": _json(memory.metadata),
        "conversation": memory.conversation_id or "",
        "created": when(memory.created_at),
        "updated": when(memory.updated_at) if memory.revision > 1 else "",
        "revision": str(memory.revision),
        "embedded": "" if memory.embedded else "not yet; searchable by keywords only",
    }
    return _stated(facts, memory.content)


def _was(revision: RevisionFields) -> str:
    facts = {
        "revision": str(revision.revision),
        "written": when(revision.updated_at),
        "type": revision.type,
        "tags": ", ".join(revision.tags),
        "metadata": _json(revision.metadata),
    }
    return _stated(facts, revision.content)


def _json(metadata: Mapping[str, object]) -> str:
    return json.dumps(metadata, ensure_ascii=False) if metadata else ""


def _stated(facts: Mapping[str, str], content: str) -> str:
    lines = [f"{bold(name)}: {clean(fact)}" for name, fact in facts.items() if fact]
    return "\n".join([*lines, "", clean(content)])
