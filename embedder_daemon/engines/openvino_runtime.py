"""openvino without its telemetry: `import openvino` alone would report to its vendor over the network."""

from __future__ import annotations

import sys

sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # None forbids the import

import openvino  # type: ignore[import-untyped]  # has no types  # noqa: E402 - must come after the line above

__all__ = ["openvino"]
