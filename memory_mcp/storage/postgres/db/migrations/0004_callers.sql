-- Who may call over HTTP, and who did: neither is of a namespace, so a transaction sees them only where it reaches all.
CREATE TABLE tokens (
  key        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  id         text COLLATE "C" NOT NULL UNIQUE,
  name       text COLLATE "C" NOT NULL UNIQUE,
  digest     text COLLATE "C" NOT NULL UNIQUE, -- SHA-256 of the token in hexadecimal
  scopes     text COLLATE "C" NOT NULL,        -- a JSON array
  namespace  text COLLATE "C",                 -- the only one it reaches; NULL for all
  created_at bigint NOT NULL,
  expires_at bigint
);

CREATE TABLE audit (
  key       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at        bigint NOT NULL,
  principal text COLLATE "C" NOT NULL,
  name      text COLLATE "C" NOT NULL,
  issuer    text COLLATE "C" NOT NULL, -- of the identity provider; empty for our own tokens
  request   text COLLATE "C" NOT NULL,
  kind      text COLLATE "C" NOT NULL,
  outcome   text COLLATE "C" NOT NULL,
  ids       text COLLATE "C" NOT NULL, -- a JSON array
  more      bigint NOT NULL,           -- how many ids were left out
  namespace text COLLATE "C" NOT NULL
);
CREATE INDEX audit_by_time ON audit (at);
CREATE INDEX audit_by_principal ON audit (principal, key);

ALTER TABLE tokens ENABLE ROW LEVEL SECURITY;
ALTER TABLE tokens FORCE ROW LEVEL SECURITY;
CREATE POLICY reach ON tokens USING ((SELECT memory_mcp.reaches_all()));

-- No policy lets a line be changed: it is appended, read, and deleted when it is old.
ALTER TABLE audit ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit FORCE ROW LEVEL SECURITY;
CREATE POLICY looked_at ON audit FOR SELECT USING ((SELECT memory_mcp.reaches_all()));
CREATE POLICY appended ON audit FOR INSERT WITH CHECK ((SELECT memory_mcp.reaches_all()));
CREATE POLICY purged ON audit FOR DELETE USING ((SELECT memory_mcp.reaches_all()));
