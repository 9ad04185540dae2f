-- The terms of keywords are made in Python (terms.py) and carry their namespace's number ("7:cat"), so that postings
-- and document frequencies are the namespace's own. The writes feed the index and the counts; no trigger does.
DROP TRIGGER memory_added;
DROP TRIGGER memory_deleted;
DROP TRIGGER memory_rewritten;
DROP TABLE keyword_terms;
DROP TABLE keywords;
DROP VIEW live;

CREATE TABLE numbered (
  number    INTEGER PRIMARY KEY AUTOINCREMENT,
  namespace TEXT NOT NULL UNIQUE,
  memories  INTEGER NOT NULL  -- live ones, so that counting costs nothing
) STRICT;
INSERT INTO numbered (namespace, memories) SELECT namespace, memories FROM namespaces ORDER BY namespace;
DROP TABLE namespaces;
ALTER TABLE numbered RENAME TO namespaces;

-- The ascii tokenizer takes every character beyond ASCII for a part of a word.
CREATE VIRTUAL TABLE keywords USING fts5 (
  terms, content = '', contentless_delete = 1, tokenize = "ascii tokenchars ':'"
);
CREATE VIRTUAL TABLE keyword_terms USING fts5vocab ('keywords', 'row');
