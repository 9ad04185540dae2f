"""Health, copies and checks of the database."""
