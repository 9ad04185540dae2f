"""Streamable HTTP: many clients, each with a bearer token."""
