"""The file: connections, schema, migrations, rows, conditions, the change log."""
