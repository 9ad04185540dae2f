"""Queries with the intent that a person gave them, in `router.jsonl`; half of them are kept aside.

How to label: ask in this order, and take the first that fits.

- `identifier`: looks up one thing by its exact spelling: a name out of code or a command, a path, an address, a
  version, a number, an error's code, or quoted words. Up to two plain words may say what it is ("ticket OPS-3051").
  Names of people and places are plain words.
- `browse`: wants whatever carries a tag, not some content: `#tag`, `tag:x`, "everything tagged x", or nothing but tags
  that the store has (`tags`). "My notes about x" is a topic.
- `time`: asks when (in which year, since when, how long ago, at what time), or wants what belongs to a stated time
  ("meetings yesterday", "how many incidents did we have in 2021?"). How long something takes is a question.
- `question`: asks anything else, with or without a question mark, on its own or in a request ("tell me who ...").
- `topic`: anything else: words, a statement, or "find", "remind me of" with some.

A line is an object with `intent`, `language` (ISO 639; `zxx` where no language is written), `half`, `tags` where the
store has any, and either the `query` or the `set` and `id` of one: those sets are not ours to copy, so their queries
are only there where the sets are. The half follows from the query's digest, so that nobody chooses it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from memory_mcp.search.intent import Intent

Half = Literal["train", "test"]

INTENTS: tuple[Intent, ...] = get_args(Intent)
FILE = Path(__file__).with_name("router.jsonl")


@dataclass(frozen=True)
class Labelled:
    """A query, the tags that the store has, and what a person says that it wants."""

    query: str
    intent: Intent
    language: str
    half: Half
    tags: frozenset[str]


def half_of(query: str) -> Half:
    """Return the half that a query belongs to."""
    return "test" if hashlib.sha256(query.encode()).digest()[0] % 2 else "train"


def labelled(data: Path | None = None) -> list[Labelled]:
    """Read the queries; those of a set are left out when `data`, the folder of sets, does not hold it."""
    return list(_read(data))


def _read(data: Path | None) -> Iterator[Labelled]:
    known: dict[str, dict[str, str]] = {}
    for line in FILE.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if "set" in row and row["set"] not in known:
            known[row["set"]] = _queries(data, row["set"])
        query = row["query"] if "query" in row else known[row["set"]].get(row["id"])
        if query is not None:
            yield Labelled(query, row["intent"], row["language"], row["half"], frozenset(row.get("tags", ())))


def _queries(data: Path | None, name: str) -> dict[str, str]:
    path = data / name / "queries.jsonl" if data else None
    if path is None or not path.exists():
        return {}
    rows = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return {row["_id"]: row["text"] for row in rows}
