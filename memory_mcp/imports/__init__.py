"""Moving in from other memory systems."""
