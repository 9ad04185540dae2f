-- The change log is pruned from its beginning: what is no longer in it is recorded here, in one row or none.
CREATE TABLE change_floor (
  one      INTEGER PRIMARY KEY CHECK (one = 1),
  seq      INTEGER NOT NULL,  -- the largest that was pruned
  key      INTEGER NOT NULL,  -- of the last memory that pruned rows named: only later ones must be in the log
  began_at INTEGER NOT NULL   -- when the store was first written
) STRICT;
