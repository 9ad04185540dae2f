"""Version 1 of the wire: generated stubs, the contract's limits and codes, bytes and vectors, addresses."""
