"""The life of the process: its socket, its states, and what ends it."""
