-- What files hold is known by the digest of their bytes: two files with the same bytes have the same documents.
CREATE TABLE document_files (
  namespace  TEXT NOT NULL,
  uri        TEXT NOT NULL,
  digest     TEXT NOT NULL,
  size       INTEGER NOT NULL,
  modified   INTEGER,           -- nanoseconds since 1970; NULL for content that came with a call
  seen_at    INTEGER NOT NULL,
  missing_at INTEGER,
  PRIMARY KEY (namespace, uri)
) STRICT, WITHOUT ROWID;
CREATE INDEX document_files_by_digest ON document_files (namespace, digest);

CREATE TABLE documents (
  key        INTEGER PRIMARY KEY AUTOINCREMENT,
  id         TEXT NOT NULL UNIQUE,  -- also the conversation of its sections
  namespace  TEXT NOT NULL,
  digest     TEXT NOT NULL,
  part       TEXT NOT NULL,
  title      TEXT,
  media_type TEXT NOT NULL,
  pages      INTEGER,
  refusal    TEXT,
  error      TEXT,
  tags       TEXT NOT NULL,         -- a JSON array
  revision   INTEGER NOT NULL DEFAULT 1,
  dated_at   INTEGER NOT NULL,      -- the time of its first section
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX documents_by_digest ON documents (namespace, digest, part);

-- A section is a memory. It keeps its place here while it is deleted, so that it can be undeleted.
CREATE TABLE sections (
  key      INTEGER PRIMARY KEY REFERENCES memories (key),
  document INTEGER NOT NULL REFERENCES documents (key),
  place    INTEGER NOT NULL,
  heading  TEXT NOT NULL,  -- a JSON array
  page     INTEGER,
  digest   BLOB NOT NULL   -- of heading and text as they were read
) STRICT;
CREATE INDEX sections_by_document ON sections (document, place);

CREATE TABLE jobs (
  key        INTEGER PRIMARY KEY AUTOINCREMENT,
  id         TEXT NOT NULL UNIQUE,
  namespace  TEXT NOT NULL,
  tags       TEXT NOT NULL,  -- a JSON array; likewise the next two
  roots      TEXT NOT NULL,
  folders    TEXT NOT NULL,
  forced     INTEGER NOT NULL,
  asked_by   TEXT NOT NULL,
  state      TEXT NOT NULL,
  error      TEXT,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX jobs_unfinished ON jobs (key) WHERE state NOT IN ('done', 'failed', 'cancelled');

CREATE TABLE job_files (
  job        INTEGER NOT NULL REFERENCES jobs (key),
  place      INTEGER NOT NULL,
  uri        TEXT NOT NULL,
  state      TEXT NOT NULL,
  error      TEXT,
  sections   INTEGER NOT NULL DEFAULT 0,
  content    BLOB,           -- until it was read; likewise the next two
  title      TEXT,
  media_type TEXT,
  PRIMARY KEY (job, place)
) STRICT;
CREATE INDEX job_files_by_state ON job_files (job, state, place, sections);

CREATE TABLE watches (
  key        INTEGER PRIMARY KEY AUTOINCREMENT,
  id         TEXT NOT NULL UNIQUE,
  path       TEXT NOT NULL,
  namespace  TEXT NOT NULL,
  tags       TEXT NOT NULL,  -- a JSON array
  asked_by   TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  UNIQUE (namespace, path)
) STRICT;
