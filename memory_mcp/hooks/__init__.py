"""`memory-mcp hook`: what clients run when a session starts or a prompt is sent. Milliseconds count here."""
