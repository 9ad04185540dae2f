"""The embedder daemon: one heavy process per machine that turns texts into vectors."""

from __future__ import annotations

__version__ = "0.1.0"
