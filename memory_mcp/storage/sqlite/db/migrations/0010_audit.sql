-- Who did what over HTTP; a line is appended, read, and deleted when it is old.
CREATE TABLE audit (
  key       INTEGER PRIMARY KEY AUTOINCREMENT,
  at        INTEGER NOT NULL,
  principal TEXT NOT NULL,
  name      TEXT NOT NULL,
  issuer    TEXT NOT NULL, -- of the identity provider; empty for our own tokens
  request   TEXT NOT NULL,
  kind      TEXT NOT NULL,
  outcome   TEXT NOT NULL,
  ids       TEXT NOT NULL, -- a JSON array
  more      INTEGER NOT NULL, -- how many ids were left out
  namespace TEXT NOT NULL
) STRICT;
CREATE INDEX audit_by_time ON audit (at);
CREATE INDEX audit_by_principal ON audit (principal, key);
CREATE TRIGGER audit_is_appended BEFORE UPDATE ON audit BEGIN SELECT raise(ABORT, 'a line of the audit is never changed'); END;
