"""The front's embedder: a gRPC client of the daemon behind a circuit breaker."""
