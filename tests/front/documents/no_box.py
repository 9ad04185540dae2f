"""The attempts without a box, on a system that offers none: most of them succeed, or the attempts are none."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Final

from memory_mcp.documents.readers.model import DocumentReader
from memory_mcp.documents.sandbox import child
from memory_mcp.documents.sandbox.control import Layers, ReadingLimits


def _nothing(limits: ReadingLimits, parent: int, folder: Path | None = None) -> Layers:
    return Layers()


child.box = _nothing
read: Final[DocumentReader] = importlib.import_module("attempts").read
