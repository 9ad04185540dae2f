"""Other systems that are asked for context: read-only, each with its own deadline, breaker, rate limit and cache."""
