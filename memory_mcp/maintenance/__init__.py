"""Maintenance of a store: backups, re-embedding, transfer, background chores and their leases."""
