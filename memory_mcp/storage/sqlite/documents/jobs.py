"""Jobs and their files; every function works inside the caller's transaction."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple, cast

import apsw

from memory_mcp.domain.documents import BY_WATCH, DocumentChange, FileChange
from memory_mcp.domain.errors import NotFoundError
from memory_mcp.domain.jobs import (
    FileContent,
    IngestJob,
    JobFile,
    JobFileState,
    JobState,
    NewJob,
    NewJobFile,
    check_transition,
)
from memory_mcp.storage.rows import from_micros, to_json, to_micros
from memory_mcp.storage.sqlite.documents import files, parts

_DAY: Final = 86_400_000_000
"""Microseconds."""
KEPT_FOR: Final = 30 * _DAY
"""For so long an ended job is remembered."""
WATCHES_KEPT_FOR: Final = _DAY
"""Likewise one of a watch: there is one for each change of a file."""
_UNFINISHED: Final = "state NOT IN ('done', 'failed', 'cancelled')"
_COLUMNS: Final = """
  j.id, j.namespace, j.tags, j.roots, j.folders, j.forced, j.asked_by, j.state, j.error, j.created_at, j.updated_at,
  (SELECT json_group_array(json_array(state, files, sections)) FROM (
     SELECT state, count(*) AS files, sum(sections) AS sections FROM job_files WHERE job = j.key GROUP BY state))
"""


class _JobRow(NamedTuple):
    """A row of _COLUMNS."""

    id: str
    namespace: str
    tags: str
    roots: str
    folders: str
    forced: int
    asked_by: str
    state: str
    error: str | None
    created_at: int
    updated_at: int
    counts: str


def create(db: apsw.Connection, new: NewJob, of: Sequence[NewJobFile], now: int) -> IngestJob:
    """Queue a job, and forget those that ended long ago."""
    _forget(db, now)
    job_id = uuid.uuid4().hex
    db.execute(
        """INSERT INTO jobs (id, namespace, tags, roots, folders, forced, asked_by, state, created_at, updated_at)
           VALUES (?, ?, ?, ?, ?, ?, ?, 'queued', ?, ?)""",
        (
            job_id,
            new.namespace,
            to_json(list(new.tags)),
            to_json(list(new.roots)),
            to_json(list(new.folders)),
            new.is_forced,
            new.asked_by,
            now if new.begun_at is None else min(now, to_micros(new.begun_at)),
            now,
        ),
    )
    key = db.last_insert_rowid()
    db.executemany(
        """INSERT INTO job_files (job, place, uri, state, error, content, title, media_type)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?)""",
        (_file_row(key, place, file) for place, file in enumerate(of)),
    )
    db.execute(
        """UPDATE document_files SET seen_at = ?
           WHERE namespace = ? AND uri IN (SELECT uri FROM job_files WHERE job = ?)""",
        (now, new.namespace, key),
    )
    db.executemany(  # "0" follows "/"
        "UPDATE document_files SET seen_at = ?1 WHERE namespace = ?2 AND uri > ?3 || '/' AND uri < ?3 || '0'",
        ((now, new.namespace, file.uri) for file in of if file.left_out is not None),
    )
    return job(db, job_id, new.namespace, any_namespace=False)


def _file_row(key: int, place: int, file: NewJobFile) -> tuple[apsw.SQLiteValue, ...]:
    state = JobFileState.QUEUED if file.left_out is None else JobFileState.LEFT_OUT
    content = (None, None, None)
    if file.content is not None:
        return key, place, file.uri, state.value, None, file.content.data, file.content.title, file.content.media_type
    return key, place, file.uri, state.value, file.left_out, *content


def _forget(db: apsw.Connection, now: int) -> None:
    """Forget the jobs that ended long ago; those that are left are few, so an index would cost more than this scan."""
    rows = db.execute(
        f"""SELECT key FROM jobs WHERE NOT ({_UNFINISHED})
              AND updated_at < iif(substr(asked_by, 1, {len(BY_WATCH)}) = '{BY_WATCH}', ?, ?)""",  # noqa: S608 - constants
        (now - WATCHES_KEPT_FOR, now - KEPT_FOR),
    ).fetchall()
    for table, column in (("job_files", "job"), ("jobs", "key")):
        db.executemany(f"DELETE FROM {table} WHERE {column} = ?", cast("list[tuple[int]]", rows))  # noqa: S608 - ours


def job(db: apsw.Connection, job_id: str, namespace: str, *, any_namespace: bool) -> IngestJob:
    """Return a job.

    Raises:
        NotFoundError: it does not exist.
    """
    row = db.execute(
        f"SELECT {_COLUMNS} FROM jobs AS j WHERE id = ? AND (? OR namespace = ?)",  # noqa: S608 - a constant
        (job_id, any_namespace, namespace),
    ).fetchone()
    if row is None:
        raise NotFoundError(
            f"job: no job {job_id!r} is known; jobs are forgotten 30 days after their end, those of watches after one"
        )
    return _to_job(row)


def jobs(db: apsw.Connection, namespace: str, limit: int) -> list[IngestJob]:
    """Return the newest jobs, newest first."""
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM jobs AS j WHERE namespace = ? ORDER BY key DESC LIMIT ?",  # noqa: S608 - a constant
        (namespace, limit),
    )
    return [_to_job(row) for row in rows]


def unfinished(db: apsw.Connection) -> IngestJob | None:
    """Return the oldest job that has not ended."""
    row = db.execute(f"SELECT {_COLUMNS} FROM jobs AS j WHERE {_UNFINISHED} ORDER BY key LIMIT 1").fetchone()  # noqa: S608 - constants
    return None if row is None else _to_job(row)


def _to_job(values: apsw.SQLiteValues) -> IngestJob:
    row = _JobRow._make(values)
    counted = cast("list[tuple[str, int, int]]", json.loads(row.counts))
    return IngestJob(
        id=row.id,
        new=NewJob(
            namespace=row.namespace,
            tags=tuple(json.loads(row.tags)),
            roots=tuple(json.loads(row.roots)),
            folders=tuple(json.loads(row.folders)),
            is_forced=bool(row.forced),
            asked_by=row.asked_by,
        ),
        state=JobState(row.state),
        error=row.error,
        files=sum(count for _, count, _ in counted),
        counts={JobFileState(state): count for state, count, _ in counted},
        sections=sum(made for *_, made in counted),
        created_at=from_micros(row.created_at),
        updated_at=from_micros(row.updated_at),
    )


def job_files(db: apsw.Connection, job_id: str, state: JobFileState, after: int, limit: int) -> list[JobFile]:
    """Return the first files in a state after a place."""
    rows = db.execute(
        """SELECT f.place, f.uri, f.error, f.sections FROM jobs AS j JOIN job_files AS f ON f.job = j.key
           WHERE j.id = ? AND f.state = ? AND f.place > ? ORDER BY f.place LIMIT ?""",
        (job_id, state.value, after, limit),
    )
    return [
        JobFile(place, uri, state, error, made)
        for place, uri, error, made in cast("Iterator[tuple[int, str, str | None, int]]", rows)
    ]


def content(db: apsw.Connection, job_id: str, place: int) -> FileContent | None:
    """Return the content of a queued file."""
    row = db.execute(
        """SELECT f.content, f.title, f.media_type FROM jobs AS j JOIN job_files AS f ON f.job = j.key
           WHERE j.id = ? AND f.place = ? AND f.content IS NOT NULL""",
        (job_id, place),
    ).fetchone()
    return None if row is None else FileContent(*cast("tuple[bytes, str | None, str | None]", row))


def advance(db: apsw.Connection, job_id: str, state: JobState, error: str | None, now: int) -> IngestJob:
    """Change a job's state.

    Raises:
        ConflictError: the state may not follow the present one.
        NotFoundError: there is no such job.
    """
    before = job(db, job_id, "", any_namespace=True)
    check_transition(job_id, before.state, state)
    db.execute("UPDATE jobs SET state = ?, error = ?, updated_at = ? WHERE id = ?", (state.value, error, now, job_id))
    if state.is_final:
        db.execute(
            """UPDATE job_files SET content = NULL, title = NULL, media_type = NULL
               WHERE job = (SELECT key FROM jobs WHERE id = ?) AND content IS NOT NULL""",
            (job_id,),
        )
    return job(db, job_id, "", any_namespace=True)


def add_sections(
    db: apsw.Connection, job_id: str, change: FileChange, documents: Sequence[DocumentChange], now: int
) -> None:
    """Write new sections ahead of their file; nothing if the job has ended.

    Raises:
        ConflictError: a known document is gone.
        NotFoundError: there is no such job.
    """
    if not job(db, job_id, "", any_namespace=True).state.is_final:
        parts.add_sections(db, change, documents, now)


def put_files(
    db: apsw.Connection, job_id: str, written: Sequence[tuple[JobFile, FileChange | None]], now: int
) -> IngestJob:
    """Write files with their documents, and what became of them; nothing if the job has ended.

    Raises:
        ConflictError: a document is no longer what is known.
        NotFoundError: there is no such job.
    """
    if job(db, job_id, "", any_namespace=True).state.is_final:
        return job(db, job_id, "", any_namespace=True)
    key = cast("int", db.execute("SELECT key FROM jobs WHERE id = ?", (job_id,)).get)
    for file, change in written:
        db.execute(
            """UPDATE job_files SET state = ?, error = ?, sections = ?, content = NULL, title = NULL, media_type = NULL
               WHERE job = ? AND place = ? AND state = 'queued'""",
            (file.state.value, file.error, file.sections, key, file.place),
        )
        if change is not None and db.changes():
            files.put(db, change, now)
    db.execute("UPDATE jobs SET updated_at = ? WHERE key = ?", (now, key))
    return job(db, job_id, "", any_namespace=True)
