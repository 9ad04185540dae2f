"""The keyword index: postings in plain tables."""
