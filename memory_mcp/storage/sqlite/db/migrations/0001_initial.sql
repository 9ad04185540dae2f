-- Times are microseconds since 1970 in UTC. `key` counts arrivals and is never used twice.
CREATE TABLE memories (
  key             INTEGER PRIMARY KEY AUTOINCREMENT,
  id              TEXT NOT NULL,
  namespace       TEXT NOT NULL,
  conversation_id TEXT,
  type            TEXT NOT NULL,
  content         TEXT NOT NULL,
  digest          BLOB NOT NULL,  -- of the NFC text, to find exact duplicates
  metadata        TEXT NOT NULL,  -- a JSON object
  created_at      INTEGER NOT NULL,
  updated_at      INTEGER NOT NULL,
  revision        INTEGER NOT NULL DEFAULT 1,
  deleted_at      INTEGER,
  UNIQUE (id, namespace)
) STRICT;
CREATE INDEX memories_by_digest ON memories (namespace, digest) WHERE deleted_at IS NULL;
CREATE INDEX memories_by_time ON memories (namespace, created_at, key) WHERE deleted_at IS NULL;
CREATE INDEX memories_by_conversation ON memories (namespace, conversation_id, created_at, key)
  WHERE deleted_at IS NULL AND conversation_id IS NOT NULL;

CREATE TABLE tags (
  tag TEXT NOT NULL,
  key INTEGER NOT NULL REFERENCES memories (key),
  PRIMARY KEY (tag, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX tags_by_memory ON tags (key, tag);

-- What a memory was before each update.
CREATE TABLE revisions (
  key        INTEGER NOT NULL REFERENCES memories (key),
  revision   INTEGER NOT NULL,
  content    TEXT NOT NULL,
  tags       TEXT NOT NULL,  -- a JSON array
  type       TEXT NOT NULL,
  metadata   TEXT NOT NULL,
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (key, revision)
) STRICT, WITHOUT ROWID;

-- The parts of a live memory's content that get a vector each: content[first:last], in characters.
CREATE TABLE passages (
  id    INTEGER PRIMARY KEY AUTOINCREMENT,
  key   INTEGER NOT NULL REFERENCES memories (key),
  first INTEGER NOT NULL,
  last  INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('pending', 'embedded', 'failed')),
  error TEXT
) STRICT;
CREATE INDEX passages_by_memory ON passages (key, first);
CREATE INDEX passages_waiting ON passages (state, id, key) WHERE state <> 'embedded';

-- The vectors of space n lie in the table vectors_n, made when the space is opened.
CREATE TABLE spaces (
  number     INTEGER PRIMARY KEY,
  id         TEXT NOT NULL UNIQUE,
  dimensions INTEGER NOT NULL,
  active     INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX one_active_space ON spaces (active) WHERE active = 1;

-- Live memories by namespace, so that counting costs nothing.
CREATE TABLE namespaces (
  namespace TEXT PRIMARY KEY,
  memories  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE VIEW live (key, content) AS SELECT key, content FROM memories WHERE deleted_at IS NULL;
CREATE VIRTUAL TABLE keywords USING fts5 (
  content, content = 'live', content_rowid = 'key', tokenize = 'porter unicode61 remove_diacritics 2'
);
CREATE VIRTUAL TABLE keyword_terms USING fts5vocab ('keywords', 'row');

CREATE TRIGGER memory_added AFTER INSERT ON memories BEGIN
  INSERT INTO keywords (rowid, content) VALUES (new.key, new.content);
  INSERT INTO namespaces VALUES (new.namespace, 1) ON CONFLICT DO UPDATE SET memories = memories + 1;
END;
CREATE TRIGGER memory_deleted AFTER UPDATE OF deleted_at ON memories
  WHEN old.deleted_at IS NULL AND new.deleted_at IS NOT NULL BEGIN
  INSERT INTO keywords (keywords, rowid, content) VALUES ('delete', old.key, old.content);
  UPDATE namespaces SET memories = memories - 1 WHERE namespace = old.namespace;
END;
CREATE TRIGGER memory_rewritten AFTER UPDATE OF content ON memories WHEN old.content IS NOT new.content BEGIN
  INSERT INTO keywords (keywords, rowid, content) VALUES ('delete', old.key, old.content);
  INSERT INTO keywords (rowid, content) VALUES (new.key, new.content);
END;

-- Every write appends here in its own transaction; the largest seq is the store's generation.
CREATE TABLE changes (
  seq        INTEGER PRIMARY KEY AUTOINCREMENT,
  at         INTEGER NOT NULL,
  namespace  TEXT NOT NULL,
  kind       TEXT NOT NULL,
  memory_ids TEXT NOT NULL,  -- a JSON array
  tags       TEXT NOT NULL   -- a JSON array
) STRICT;

-- Chores are done by one front at a time.
CREATE TABLE leases (
  name       TEXT PRIMARY KEY,
  owner      TEXT NOT NULL,
  expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
