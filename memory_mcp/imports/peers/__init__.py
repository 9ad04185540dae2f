"""A reader for each peer; each runs in the sandbox, and never in the front."""
