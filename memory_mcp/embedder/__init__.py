"""The way to the daemon: client (gRPC) behind a circuit breaker."""
