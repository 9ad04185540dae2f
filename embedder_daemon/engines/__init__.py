"""Engines: each is one file behind the port in `base`, one line in `factory`, imported when it is chosen."""
