-- Times are microseconds since 1970 in UTC. Texts are compared by code point, on every server alike.
-- `key` counts arrivals and is never used twice; it is the order of beginnings, not of commits.
CREATE TABLE memories (
  key             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  id              text COLLATE "C" NOT NULL,
  namespace       text COLLATE "C" NOT NULL,
  conversation_id text COLLATE "C",
  type            text COLLATE "C" NOT NULL,
  content         text COLLATE "C" NOT NULL,
  digest          bytea NOT NULL,            -- of the NFC text, to find exact duplicates
  metadata        text COLLATE "C" NOT NULL, -- a JSON object as it was given
  members         jsonb NOT NULL GENERATED ALWAYS AS (metadata::jsonb) STORED, -- the same, to be compared
  metadata_digest bytea,                     -- to find equal metadata; NULL for an empty object
  created_at      bigint NOT NULL,
  updated_at      bigint NOT NULL,
  revision        integer NOT NULL DEFAULT 1,
  deleted_at      bigint,
  UNIQUE (namespace, id)
);
CREATE INDEX memories_by_id ON memories (id);
CREATE INDEX memories_by_digest ON memories (namespace, digest, conversation_id, created_at) WHERE deleted_at IS NULL;
CREATE INDEX memories_by_metadata ON memories (namespace, digest, metadata_digest, conversation_id, created_at)
  WHERE deleted_at IS NULL AND metadata_digest IS NOT NULL;
CREATE INDEX memories_by_time ON memories (namespace, created_at, key) WHERE deleted_at IS NULL;
CREATE INDEX memories_by_conversation ON memories (namespace, conversation_id, created_at, key)
  WHERE deleted_at IS NULL AND conversation_id IS NOT NULL;
CREATE INDEX memories_deleted ON memories (deleted_at) WHERE deleted_at IS NOT NULL;

-- `tag` is the spelling that the memory was given, `folded` what it is found by.
CREATE TABLE tags (
  namespace text COLLATE "C" NOT NULL,
  folded    text COLLATE "C" NOT NULL,
  key       bigint NOT NULL REFERENCES memories (key),
  tag       text COLLATE "C" NOT NULL,
  PRIMARY KEY (namespace, folded, key)
);
CREATE INDEX tags_by_memory ON tags (key, tag);

-- What a memory was before each update.
CREATE TABLE revisions (
  namespace  text COLLATE "C" NOT NULL,
  key        bigint NOT NULL REFERENCES memories (key),
  revision   integer NOT NULL,
  content    text COLLATE "C" NOT NULL,
  tags       text COLLATE "C" NOT NULL, -- a JSON array
  type       text COLLATE "C" NOT NULL,
  metadata   text COLLATE "C" NOT NULL,
  updated_at bigint NOT NULL,
  PRIMARY KEY (key, revision)
);

CREATE TABLE spaces (
  number     integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  id         text COLLATE "C" NOT NULL UNIQUE,
  dimensions integer NOT NULL,
  active     boolean NOT NULL
);
CREATE UNIQUE INDEX one_active_space ON spaces (active) WHERE active;

-- The parts of a live memory's content that get a vector each: content[first:last], in characters. A passage is of the
-- space of its vector; one that waits is of none. `documents` tells the two partitions of a namespace apart.
CREATE TABLE passages (
  id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  namespace text COLLATE "C" NOT NULL,
  documents boolean NOT NULL,
  key       bigint NOT NULL REFERENCES memories (key),
  first     integer NOT NULL,
  last      integer NOT NULL,
  state     text COLLATE "C" NOT NULL CHECK (state IN ('pending', 'embedded', 'failed')),
  error     text COLLATE "C",
  space     integer REFERENCES spaces (number)
);
CREATE INDEX passages_by_memory ON passages (key, first) INCLUDE (id, last, space);
CREATE INDEX passages_waiting ON passages (state, id) INCLUDE (key) WHERE state <> 'embedded';

-- Live memories by partition, so that counting costs nothing; written behind the lock of the change log.
CREATE TABLE partitions (
  namespace text COLLATE "C" NOT NULL,
  documents boolean NOT NULL,
  memories  bigint NOT NULL,
  PRIMARY KEY (namespace, documents)
);

-- Every write appends here in its own transaction; the largest seq is the store's generation. A lock that lasts until
-- the commit makes the order of the numbers the order of the commits.
CREATE TABLE changes (
  seq        bigint PRIMARY KEY,
  at         bigint NOT NULL,
  namespace  text COLLATE "C" NOT NULL,
  kind       text COLLATE "C" NOT NULL,
  memory_ids text COLLATE "C" NOT NULL, -- a JSON array
  tags       text COLLATE "C" NOT NULL  -- a JSON array
);
CREATE INDEX changes_by_time ON changes (at, seq);

-- One row: the largest number given, what was pruned, and when the store was first written.
CREATE TABLE change_log (
  one      boolean PRIMARY KEY DEFAULT true CHECK (one),
  seq      bigint NOT NULL,
  floor    bigint NOT NULL,
  began_at bigint
);
INSERT INTO change_log (seq, floor) VALUES (0, 0);

-- Chores are done by one front at a time.
CREATE TABLE leases (
  name       text COLLATE "C" PRIMARY KEY,
  owner      text COLLATE "C" NOT NULL,
  expires_at bigint NOT NULL
);

-- Which namespaces a transaction reaches: an array in `memory_mcp.reach`, or all. Without it no row is seen or written.

CREATE FUNCTION reach() RETURNS text[] STABLE PARALLEL SAFE LANGUAGE sql AS $$
  SELECT nullif(current_setting('memory_mcp.reach', true), '')::text[]
$$;
CREATE FUNCTION reaches_all() RETURNS boolean STABLE PARALLEL SAFE LANGUAGE sql AS $$
  SELECT coalesce(current_setting('memory_mcp.reaches_all', true) = 'on', false)
$$;

-- Puts a table behind the wall: rows of a namespace are there for who reaches it alone, its owner included.
CREATE PROCEDURE wall(walled regclass) LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', walled);
  EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', walled);
  EXECUTE format(
    'CREATE POLICY reach ON %s USING (namespace = ANY ((SELECT memory_mcp.reach())::text[])
       OR (SELECT memory_mcp.reaches_all()))', walled);
END $$;
CALL wall('memories');
CALL wall('tags');
CALL wall('revisions');
CALL wall('passages');
CALL wall('partitions');
CALL wall('changes');
