-- Names that differ in their form of Unicode alone become one (unify.py), and tags are compared without case: `tag`
-- is the spelling that the memory was given, `folded` what it is found by. The terms of the keyword index are made anew.
ALTER TABLE tags RENAME TO tags_before;
DROP INDEX tags_by_memory;
CREATE TABLE tags (
  folded TEXT NOT NULL,
  key    INTEGER NOT NULL REFERENCES memories (key),
  tag    TEXT NOT NULL,
  PRIMARY KEY (folded, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX tags_by_memory ON tags (key, folded, tag);

-- A text that is stored every night is looked for by its time as well.
DROP INDEX memories_by_digest;
CREATE INDEX memories_by_digest ON memories (namespace, digest, conversation_id, created_at) WHERE deleted_at IS NULL;

-- So is one that comes with other metadata each time; NULL for none.
ALTER TABLE memories ADD COLUMN metadata_digest BLOB;
CREATE INDEX memories_by_metadata ON memories (namespace, digest, metadata_digest, conversation_id, created_at)
  WHERE deleted_at IS NULL AND metadata_digest IS NOT NULL;

DROP TABLE keyword_terms;
DROP TABLE keywords;
CREATE VIRTUAL TABLE keywords USING fts5 (terms, tokenize = "ascii tokenchars ':'");
CREATE VIRTUAL TABLE keyword_terms USING fts5vocab ('keywords', 'row');
