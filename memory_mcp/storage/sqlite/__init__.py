"""The store of record: one SQLite file shared by all fronts, with FTS5 for keywords and sqlite-vec for vectors."""
