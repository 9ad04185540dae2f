-- What files hold is known by the digest of their bytes: two files with the same bytes have the same documents.
CREATE TABLE document_files (
  namespace  text COLLATE "C" NOT NULL,
  uri        text COLLATE "C" NOT NULL,
  digest     text COLLATE "C" NOT NULL,
  size       bigint NOT NULL,
  modified   bigint,          -- nanoseconds since 1970; NULL for content that came with a call
  seen_at    bigint NOT NULL,
  missing_at bigint,
  PRIMARY KEY (namespace, uri)
);
CREATE INDEX document_files_by_digest ON document_files (namespace, digest);

CREATE TABLE documents (
  key        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  id         text COLLATE "C" NOT NULL UNIQUE, -- also the conversation of its sections
  namespace  text COLLATE "C" NOT NULL,
  digest     text COLLATE "C" NOT NULL,
  part       text COLLATE "C" NOT NULL,
  title      text COLLATE "C",
  media_type text COLLATE "C" NOT NULL,
  pages      bigint,
  refusal    text COLLATE "C",
  error      text COLLATE "C",
  tags       text COLLATE "C" NOT NULL,        -- a JSON array
  revision   bigint NOT NULL DEFAULT 1,
  dated_at   bigint NOT NULL,                  -- the time of its first section
  created_at bigint NOT NULL,
  updated_at bigint NOT NULL
);
CREATE UNIQUE INDEX documents_by_digest ON documents (namespace, digest, part);

-- A section is a memory. It keeps its place here while it is deleted, so that it can be undeleted.
CREATE TABLE sections (
  key      bigint PRIMARY KEY REFERENCES memories (key),
  document bigint NOT NULL REFERENCES documents (key),
  place    bigint NOT NULL,
  heading  text COLLATE "C" NOT NULL, -- a JSON array
  page     bigint,
  digest   bytea NOT NULL             -- of heading and text as they were read
);
CREATE INDEX sections_by_document ON sections (document, place);

CREATE TABLE jobs (
  key        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  id         text COLLATE "C" NOT NULL UNIQUE,
  namespace  text COLLATE "C" NOT NULL,
  tags       text COLLATE "C" NOT NULL, -- a JSON array; likewise the next two
  roots      text COLLATE "C" NOT NULL,
  folders    text COLLATE "C" NOT NULL,
  forced     integer NOT NULL,
  asked_by   text COLLATE "C" NOT NULL,
  state      text COLLATE "C" NOT NULL,
  error      text COLLATE "C",
  created_at bigint NOT NULL,
  updated_at bigint NOT NULL,
  machine    text COLLATE "C" NOT NULL DEFAULT current_setting('memory_mcp.machine') -- whose files it reads
);
CREATE INDEX jobs_unfinished ON jobs (machine, key) WHERE state NOT IN ('done', 'failed', 'cancelled');

CREATE TABLE job_files (
  job        bigint NOT NULL REFERENCES jobs (key),
  place      bigint NOT NULL,
  uri        text COLLATE "C" NOT NULL,
  state      text COLLATE "C" NOT NULL,
  error      text COLLATE "C",
  sections   bigint NOT NULL DEFAULT 0,
  content    bytea,                  -- until it was read; likewise the next two
  title      text COLLATE "C",
  media_type text COLLATE "C",
  PRIMARY KEY (job, place)
);
CREATE INDEX job_files_by_state ON job_files (job, state, place);

CREATE TABLE watches (
  key        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  id         text COLLATE "C" NOT NULL UNIQUE,
  path       text COLLATE "C" NOT NULL,
  namespace  text COLLATE "C" NOT NULL,
  tags       text COLLATE "C" NOT NULL, -- a JSON array
  asked_by   text COLLATE "C" NOT NULL,
  created_at bigint NOT NULL,
  machine    text COLLATE "C" NOT NULL DEFAULT current_setting('memory_mcp.machine'),
  UNIQUE (namespace, path, machine)
);

CALL wall('document_files');
CALL wall('documents');
CALL wall('jobs');
CALL wall('watches');

-- Sections and files of jobs are of the namespace of what they belong to.
CREATE PROCEDURE wall_within(walled regclass, parent regclass, reference name) LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', walled);
  EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', walled);
  EXECUTE format(
    'CREATE POLICY reach ON %s USING ((SELECT memory_mcp.reaches_all()) OR EXISTS (
       SELECT 1 FROM %s AS p WHERE p.key = %I AND p.namespace = ANY ((SELECT memory_mcp.reach())::text[])))',
    walled, parent, reference);
END $$;
CALL wall_within('sections', 'documents', 'document');
CALL wall_within('job_files', 'jobs', 'job');
