"""The keyword index in FTS5."""
