"""Jobs and their files; every function works inside the caller's session."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from typing import Final, NamedTuple, cast

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
from memory_mcp.storage.documents import files, parts
from memory_mcp.storage.documents.session import DocumentSession, SqlValue, first
from memory_mcp.storage.rows import from_micros, to_json, to_micros

_DAY: Final = 86_400_000_000
"""Microseconds."""
KEPT_FOR: Final = 30 * _DAY
"""For so long an ended job is remembered."""
WATCHES_KEPT_FOR: Final = _DAY
"""Likewise one of a watch: there is one for each change of a file."""
_UNFINISHED: Final = "state NOT IN ('done', 'failed', 'cancelled')"
_COLUMNS: Final = """
  j.key, j.id, j.namespace, j.tags, j.roots, j.folders, j.forced, j.asked_by, j.state, j.error, j.created_at,
  j.updated_at
"""


class _JobRow(NamedTuple):
    """A row of _COLUMNS."""

    key: int
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


def create(db: DocumentSession, new: NewJob, of: Sequence[NewJobFile]) -> IngestJob:
    """Queue a job, and forget those that ended long ago."""
    _forget(db)
    job_id = uuid.uuid4().hex
    inserted = db.rows(
        """INSERT INTO jobs (id, namespace, tags, roots, folders, forced, asked_by, state, created_at, updated_at)
           VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'queued', ?8, ?9) RETURNING key""",
        job_id,
        new.namespace,
        to_json(list(new.tags)),
        to_json(list(new.roots)),
        to_json(list(new.folders)),
        int(new.is_forced),
        new.asked_by,
        db.now if new.begun_at is None else min(db.now, to_micros(new.begun_at)),
        db.now,
    )
    key = cast("int", first(inserted))
    db.run_many(
        """INSERT INTO job_files (job, place, uri, state, error, content, title, media_type)
           VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)""",
        (_file_row(key, place, file) for place, file in enumerate(of)),
    )
    db.run(
        """UPDATE document_files SET seen_at = ?1
           WHERE namespace = ?2 AND uri IN (SELECT uri FROM job_files WHERE job = ?3)""",
        db.now,
        new.namespace,
        key,
    )
    db.run_many(  # "0" follows "/"
        "UPDATE document_files SET seen_at = ?1 WHERE namespace = ?2 AND uri > ?3 || '/' AND uri < ?3 || '0'",
        ((db.now, new.namespace, file.uri) for file in of if file.left_out is not None),
    )
    return job(db, job_id, new.namespace, any_namespace=False)


def _file_row(key: int, place: int, file: NewJobFile) -> tuple[SqlValue, ...]:
    state = JobFileState.QUEUED if file.left_out is None else JobFileState.LEFT_OUT
    content = (None, None, None)
    if file.content is not None:
        return key, place, file.uri, state.value, None, file.content.data, file.content.title, file.content.media_type
    return key, place, file.uri, state.value, file.left_out, *content


def _forget(db: DocumentSession) -> None:
    """Forget the jobs that ended long ago; those that are left are few, so an index would cost more than this scan."""
    rows = db.rows(
        f"""SELECT key FROM jobs WHERE NOT ({_UNFINISHED}) AND updated_at < CASE
              WHEN substr(asked_by, 1, {len(BY_WATCH)}) = '{BY_WATCH}' THEN ?1 ELSE ?2 END""",  # noqa: S608 - constants
        db.now - WATCHES_KEPT_FOR,
        db.now - KEPT_FOR,
    )
    for table, column in (("job_files", "job"), ("jobs", "key")):
        db.run_many(f"DELETE FROM {table} WHERE {column} = ?1", rows)  # noqa: S608 - ours


def job(db: DocumentSession, job_id: str, namespace: str, *, any_namespace: bool) -> IngestJob:
    """Return a job.

    Raises:
        NotFoundError: it does not exist.
    """
    rows = db.rows(
        f"SELECT {_COLUMNS} FROM jobs AS j WHERE id = ?1 AND (?2 OR namespace = ?3)",  # noqa: S608 - a constant
        job_id,
        any_namespace,
        namespace,
    )
    if not rows:
        raise NotFoundError(
            f"job: no job {job_id!r} is known; jobs are forgotten 30 days after their end, those of watches after one"
        )
    return _to_job(db, rows[0])


def jobs(db: DocumentSession, namespace: str, limit: int) -> list[IngestJob]:
    """Return the newest jobs, newest first."""
    rows = db.rows(
        f"SELECT {_COLUMNS} FROM jobs AS j WHERE namespace = ?1 ORDER BY key DESC LIMIT ?2",  # noqa: S608 - a constant
        namespace,
        limit,
    )
    return [_to_job(db, row) for row in rows]


def unfinished(db: DocumentSession) -> IngestJob | None:
    """Return the oldest job that has not ended."""
    rows = db.rows(
        f"SELECT {_COLUMNS} FROM jobs AS j WHERE {_UNFINISHED} AND {db.is_here('j')} ORDER BY key LIMIT 1"  # noqa: S608 - constants
    )
    return _to_job(db, rows[0]) if rows else None


def _to_job(db: DocumentSession, values: tuple[SqlValue, ...]) -> IngestJob:
    row = _JobRow._make(values)
    counts = db.rows(
        """SELECT state, count(*), CAST(sum(sections) AS BIGINT) FROM job_files WHERE job = ?1
           GROUP BY state ORDER BY state""",
        row.key,
    )
    counted = cast("list[tuple[str, int, int]]", counts)
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


def job_files(db: DocumentSession, job_id: str, state: JobFileState, after: int, limit: int) -> list[JobFile]:
    """Return the first files in a state after a place."""
    rows = db.rows(
        """SELECT f.place, f.uri, f.error, f.sections FROM jobs AS j JOIN job_files AS f ON f.job = j.key
           WHERE j.id = ?1 AND f.state = ?2 AND f.place > ?3 ORDER BY f.place LIMIT ?4""",
        job_id,
        state.value,
        after,
        limit,
    )
    return [
        JobFile(place, uri, state, error, made)
        for place, uri, error, made in cast("list[tuple[int, str, str | None, int]]", rows)
    ]


def content(db: DocumentSession, job_id: str, place: int) -> FileContent | None:
    """Return the content of a queued file."""
    rows = db.rows(
        """SELECT f.content, f.title, f.media_type FROM jobs AS j JOIN job_files AS f ON f.job = j.key
           WHERE j.id = ?1 AND f.place = ?2 AND f.content IS NOT NULL""",
        job_id,
        place,
    )
    return FileContent(*cast("tuple[bytes, str | None, str | None]", rows[0])) if rows else None


def advance(db: DocumentSession, job_id: str, state: JobState, error: str | None) -> IngestJob:
    """Change a job's state.

    Raises:
        ConflictError: the state may not follow the present one.
        NotFoundError: there is no such job.
    """
    before = job(db, job_id, "", any_namespace=True)
    check_transition(job_id, before.state, state)
    db.run("UPDATE jobs SET state = ?1, error = ?2, updated_at = ?3 WHERE id = ?4", state.value, error, db.now, job_id)
    if state.is_final:
        db.run(
            """UPDATE job_files SET content = NULL, title = NULL, media_type = NULL
               WHERE job = (SELECT key FROM jobs WHERE id = ?1) AND content IS NOT NULL""",
            job_id,
        )
    return job(db, job_id, "", any_namespace=True)


def add_sections(db: DocumentSession, job_id: str, change: FileChange, documents: Sequence[DocumentChange]) -> None:
    """Write new sections ahead of their file; nothing if the job has ended.

    Raises:
        ConflictError: a known document is gone.
        NotFoundError: there is no such job.
    """
    if not job(db, job_id, "", any_namespace=True).state.is_final:
        parts.add_sections(db, change, documents)


def put_files(db: DocumentSession, job_id: str, written: Sequence[tuple[JobFile, FileChange | None]]) -> IngestJob:
    """Write files with their documents, and what became of them; nothing if the job has ended.

    Raises:
        ConflictError: a document is no longer what is known.
        NotFoundError: there is no such job.
    """
    now = job(db, job_id, "", any_namespace=True)
    if now.state.is_final:
        return now
    key = cast("int", first(db.rows("SELECT key FROM jobs WHERE id = ?1", job_id)))
    for file, change in written:
        was_queued = db.run(
            """UPDATE job_files SET state = ?1, error = ?2, sections = ?3, content = NULL, title = NULL,
                 media_type = NULL WHERE job = ?4 AND place = ?5 AND state = 'queued'""",
            file.state.value,
            file.error,
            file.sections,
            key,
            file.place,
        )
        if change is not None and was_queued:
            files.put(db, change)
    db.run("UPDATE jobs SET updated_at = ?1 WHERE key = ?2", db.now, key)
    return job(db, job_id, "", any_namespace=True)
