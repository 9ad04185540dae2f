"""The store of record: one SQLite file that all fronts share, with FTS5 for words and sqlite-vec for vectors."""
