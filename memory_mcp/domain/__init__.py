"""The domain, independent of any library: memories, errors, ports."""
