"""The hostile readers on a system that bounds no address space, as macOS: the reader process watches their memory."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Final

from memory_mcp.documents.readers.model import DocumentReader
from memory_mcp.documents.sandbox import child
from memory_mcp.documents.sandbox.control import Layers, ReadingLimits


def _nothing(limits: ReadingLimits, parent: int, folder: Path | None = None) -> Layers:
    return Layers(seatbelt=True)


vars(sys.modules["__main__"])["_WATCHES_MEMORY"] = True
child.box = _nothing
read: Final[DocumentReader] = importlib.import_module("hostile").read
