"""The embedder daemon: one heavy process per machine that turns texts into vectors."""
