"""The database: connections, transactions, schema, and what every part of the store builds on."""
