"""openvino without its telemetry: `import openvino` alone would already report to its maker over the network."""

from __future__ import annotations

import sys

sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # None is how an import is forbidden

import openvino  # type: ignore[import-untyped]  # has no types  # noqa: E402 - after the line above, which it obeys

__all__ = ["openvino"]
