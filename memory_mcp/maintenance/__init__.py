"""What keeps a store whole over the years: backups, re-embedding, transfer, chores and their leases."""
