"""The process: its socket, its states, and its watchdogs."""
