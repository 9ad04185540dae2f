"""The keyword index in plain tables."""
