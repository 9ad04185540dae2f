"""Checks that the contents of the file are consistent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, cast

import apsw

from memory_mcp.storage.sqlite.db.partitions import PARTITION
from memory_mcp.storage.sqlite.lexical import keywords
from memory_mcp.storage.sqlite.lexical.private import INDEXED_SQL
from memory_mcp.storage.sqlite.vectors import private

LOOKED_FOR: Final = 1_000
"""Memories to search by their own words, and vectors to read, as samples."""

_COUNTS: Final = {
    "live memories are not in the keyword index": f"""
        SELECT count(*) FROM memories WHERE deleted_at IS NULL AND key NOT IN {INDEXED_SQL}""",  # noqa: S608 - a constant
    "entries of the keyword index belong to no live memory": f"""
        SELECT count(*) FROM {INDEXED_SQL}
        WHERE id NOT IN (SELECT key FROM memories WHERE deleted_at IS NULL)""",  # noqa: S608 - a constant
    "live memories have no chunk that is pending or in the active space": """
        SELECT count(*) FROM memories WHERE deleted_at IS NULL AND key NOT IN (
          SELECT key FROM passages WHERE space IS NULL OR space = (SELECT number FROM spaces WHERE active = 1))""",
    "chunks extend beyond their memory's content": """
        SELECT count(*) FROM passages JOIN memories USING (key) WHERE last > octet_length(content)""",
    "chunks belong to no live memory": """
        SELECT count(*) FROM passages WHERE key NOT IN (SELECT key FROM memories WHERE deleted_at IS NULL)""",
    "embedded chunks have no space": """
        SELECT count(*) FROM passages WHERE state = 'embedded' AND space IS NULL""",
    "namespaces have a wrong count of memories": f"""
        SELECT count(*) FROM partitions AS n WHERE memories <>
          (SELECT count(*) FROM memories AS m WHERE {PARTITION} = n.namespace AND m.deleted_at IS NULL)""",  # noqa: S608 - a constant
    "memories are in a namespace without a number": f"""
        SELECT count(*) FROM memories AS m
        WHERE deleted_at IS NULL AND {PARTITION} NOT IN (SELECT namespace FROM partitions)""",  # noqa: S608 - a constant
    "live memories are missing from the change log": """
        SELECT count(*) FROM memories
        WHERE deleted_at IS NULL AND key > (SELECT coalesce(max(key), 0) FROM change_floor) AND id NOT IN (
          SELECT logged.value FROM changes, json_each(changes.memory_ids) AS logged)""",
    "documents have no file, or files no document": """
        SELECT (SELECT count(*) FROM documents AS d WHERE NOT EXISTS (
                  SELECT 1 FROM document_files AS f WHERE f.namespace = d.namespace AND f.digest = d.digest))
             + (SELECT count(*) FROM document_files AS f WHERE NOT EXISTS (
                  SELECT 1 FROM documents AS d WHERE d.namespace = f.namespace AND d.digest = f.digest))""",
    "sections lie in another namespace or conversation than their document": """
        SELECT count(*) FROM sections AS s JOIN memories AS m USING (key) JOIN documents AS d ON d.key = s.document
        WHERE m.namespace <> d.namespace OR m.conversation_id IS NOT d.id""",
    "sections are not in the order of their times": """
        SELECT count(*) FROM (
          SELECT m.created_at <= lag(m.created_at) OVER (PARTITION BY s.document ORDER BY s.place) AS is_early
          FROM sections AS s JOIN memories AS m USING (key) WHERE m.deleted_at IS NULL) WHERE is_early""",
    "entries of the change log are below its floor": """
        SELECT count(*) FROM changes WHERE seq <= (SELECT seq FROM change_floor)""",
    "floors of the change log are above its latest entry": """
        SELECT count(*) FROM change_floor WHERE seq >= (SELECT coalesce(max(seq), 0) FROM changes)""",
}
"""Inconsistencies, and the queries that count them."""

_VECTORS: Final = {
    "chunks lack their vector in the space {space}": """
        SELECT count(*) FROM passages WHERE state = 'embedded' AND space = {number}
          AND id NOT IN (SELECT id FROM {held})""",
    "vectors of the space {space} belong to no chunk": """
        SELECT count(*) FROM {located}
        WHERE id NOT IN (SELECT id FROM passages WHERE state = 'embedded' AND space = {number})""",
    "vectors of the space {space} are filed under another namespace than their memory's": """
        SELECT count(*) FROM passages AS p JOIN memories AS m USING (key) JOIN {held} AS h ON h.id = p.id
        WHERE p.space = {number} AND h.partition <> {partition}""",
    "vectors of the space {space}, among a sample, are zero or not finite": """
        SELECT count(*) FROM passages AS p JOIN {held} AS h ON h.id = p.id
          CROSS JOIN vectors_{number} AS v ON v.passage_id = p.id
        WHERE p.state = 'embedded' AND p.space = {number}
          AND p.id % max(1, (SELECT count(*) FROM {located}) / {looked_for}) = 0
          AND coalesce(vec_distance_cosine(v.embedding, v.embedding), 1) > 0.5""",
}
"""The same of each space; {number} and {looked_for} are integers of ours, {located} and {held} sqlite-vec's own."""


def problems(db: apsw.Connection) -> list[str]:
    """Return one sentence per inconsistency; reads the whole file."""
    if damaged := damage(db):
        return damaged  # no other check could be trusted
    strangers = db.execute("PRAGMA foreign_key_check").fetchall()
    found = [f"{len(strangers)} rows refer to missing rows"] if strangers else []
    found += _counted(db, _COUNTS)
    found += _unfound(db)
    for number, space in cast("Iterator[tuple[int, str]]", db.execute("SELECT number, id FROM spaces").fetchall()):
        found += _of_space(db, number, space)
    return found


def damage(db: apsw.Connection) -> list[str]:
    """Return what SQLite itself finds wrong with the file."""
    return [str(row[0]) for row in db.execute("PRAGMA integrity_check(10)") if row[0] != "ok"]


def _of_space(db: apsw.Connection, number: int, space: str) -> list[str]:
    located, held = private.located_sql(number), private.held_sql(number)
    questions = {
        what.format(space=space): sql.format(
            number=number, located=located, held=held, looked_for=LOOKED_FOR, partition=PARTITION
        )
        for what, sql in _VECTORS.items()
    }
    hidden = private.count_hidden(db, number)
    return _counted(db, questions) + (
        [f"{hidden} vectors of the space {space} are hidden from searches"] * bool(hidden)
    )


def _unfound(db: apsw.Connection) -> list[str]:
    """Search for a sample of memories, spread evenly, by their first words."""
    live = cast("int", db.execute("SELECT count(*) FROM memories WHERE deleted_at IS NULL").get)
    rows = db.execute(
        f"""SELECT m.key, n.number, m.content FROM memories AS m JOIN partitions AS n ON n.namespace = {PARTITION}
            WHERE m.deleted_at IS NULL AND m.key % ? = 0 LIMIT ?""",  # noqa: S608 - a constant
        (max(1, live // LOOKED_FOR), 2 * LOOKED_FOR),
    )
    chosen = cast("list[tuple[int, int, str]]", rows.fetchall())
    missed = sum(not keywords.is_indexed(db, key, number, content) for key, number, content in chosen)
    return [f"{missed} of {len(chosen)} memories are not found by their own words"] if missed else []


def _counted(db: apsw.Connection, questions: dict[str, str]) -> list[str]:
    counts = {what: cast("int", db.execute(sql).get) for what, sql in questions.items()}
    return [f"{count} {what}" for what, count in counts.items() if count]
