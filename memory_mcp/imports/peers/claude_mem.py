"""claude-mem: what it observed in sessions and how it summed them up; `claude-mem.db`, whatever columns it has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import apsw

from memory_mcp.imports.model import PeerItem, PeerRecord, Remark, Source, UnreadableError
from memory_mcp.imports.peers.database import PeerRow, columns_of, opened, rows, untaken
from memory_mcp.imports.peers.values import joined, listed, members, moment, own_id, remarks, told

OF_SESSION: Final = ("memory_session_id", "sdk_session_id", "project")
TIMES: Final = ("created_at", "created_at_epoch")
COMMON: Final = ("id", *OF_SESSION, "merged_into_project", *TIMES)
OBSERVED: Final = (
    "text",
    "type",
    "title",
    "subtitle",
    "facts",
    "narrative",
    "concepts",
    "files_read",
    "files_modified",
    "metadata",
)
SUMMED: Final = ("request", "investigated", "learned", "completed", "next_steps", "notes", "files_read", "files_edited")
SECTIONS: Final = SUMMED[:6]
SUMMARY: Final = "session_summary"
"""The type of a summary; the peer has none."""
SESSION_IDS: Final = ("content_session_id", "claude_session_id")
"""Of the client; the second in old versions."""
PROMPTED: Final = ("id", "session_db_id", *SESSION_IDS, "prompt_text", *TIMES)
PROMPTS: Final = "prompts"
"""What `--also` asks for."""
PROMPT: Final = "prompt"
NAMESPACES: Final = Remark("guessed", "each project's memories go into the namespace of that name")
NOT_TAKEN: Final = Remark("lost", "tool calls of the peer are not taken")
NO_PROMPTS: Final = Remark("lost", "prompts, which may quote what was deleted, are left out; --also prompts takes them")


@dataclass(frozen=True, slots=True)
class Noted:
    """What a row says."""

    source_id: str
    content: str
    type: str
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, object] = field(default_factory=dict)


def read(source: Source) -> Iterator[PeerItem]:
    """Yield the observations, the summaries of sessions, and the prompts where asked for.

    Raises:
        UnreadableError: it is no database of claude-mem.
    """
    path = source.file()
    at = source.written_at(path)
    with opened(path) as db:
        if not {"project", "type", "created_at_epoch"} <= columns_of(db, "observations"):
            raise UnreadableError(f"{path.name} has no observations of claude-mem; name its claude-mem.db")
        for table, columns, noted in (
            ("observations", COMMON + OBSERVED, _observation),
            ("session_summaries", COMMON + SUMMED, _summary),
        ):
            for row, is_utf8 in rows(db, table, columns):
                yield from _items(noted(row), row, at, is_utf8=is_utf8)
            yield from untaken(db, table, columns)
        if PROMPTS in source.extras:
            yield from _prompts(db, at)
    yield NAMESPACES
    yield NOT_TAKEN
    if PROMPTS not in source.extras:
        yield NO_PROMPTS


def _prompts(db: apsw.Connection, file_time: datetime) -> Iterator[PeerItem]:
    """Yield the prompts, which know their project by their session alone."""
    sessions: dict[object, PeerRow] = {}
    for session, _ in rows(db, "sdk_sessions", ("id", *SESSION_IDS, *OF_SESSION)):
        sessions |= dict.fromkeys((session["id"], *(session[name] for name in SESSION_IDS if session[name])), session)
    for row, is_utf8 in rows(db, "user_prompts", PROMPTED):
        known = (sessions[row[name]] for name in ("session_db_id", *SESSION_IDS) if row[name] in sessions)
        of_session = next(known, dict.fromkeys(COMMON))
        noted = Noted(f"prompt-{row['id']}", told(row["prompt_text"]), PROMPT)
        yield from _items(noted, {**of_session, "merged_into_project": None, **row}, file_time, is_utf8=is_utf8)


def _observation(row: PeerRow) -> Noted:
    lists = {name: listed(row[name]) for name in ("facts", "files_read", "files_modified")}
    metadata = joined(members(row["metadata"]), {"title": row["title"], "subtitle": row["subtitle"], **lists})
    tags = tuple(listed(row["concepts"]))
    return Noted(f"obs-{row['id']}", _content(row), told(row["type"]), tags, metadata)


def _content(row: PeerRow) -> str:
    """Return the narrative, or the facts where there is none, below the title unless they begin with it."""
    title = told(row["title"])
    body = told(row["narrative"]) or "\n".join(listed(row["facts"])) or told(row["text"]) or told(row["subtitle"])
    if _on_one_line(body).startswith(_on_one_line(title)):
        return body
    return f"{title}\n\n{body}" if body else title


def _on_one_line(text: str) -> str:
    return " ".join(text.split())


def _summary(row: PeerRow) -> Noted:
    said = {name.replace("_", " ").capitalize(): told(row[name]) for name in SECTIONS}
    content = "\n\n".join(f"{name}: {what}" for name, what in said.items() if what)
    metadata = joined({}, {name: listed(row[name]) for name in ("files_read", "files_edited")})
    return Noted(f"summary-{row['id']}", content, SUMMARY, metadata=metadata)


def _items(noted: Noted, row: PeerRow, file_time: datetime, *, is_utf8: bool) -> Iterator[PeerItem]:
    created = moment(row["created_at_epoch"]) or moment(row["created_at"])
    yield from remarks(noted.source_id, is_utf8=is_utf8, has_time=created is not None)
    at = created or file_time
    yield PeerRecord(
        noted.source_id,
        noted.content,
        at,
        at,
        noted.tags,
        noted.type,
        noted.metadata,
        told(row["memory_session_id"]) or told(row["sdk_session_id"]) or None,
        told(row["merged_into_project"]) or told(row["project"]),
        id=own_id("claude-mem", noted.source_id, row["created_at_epoch"]),  # every database has a first row
        is_dated=created is not None,
    )
