"""`make bundle`: packs the front as an MCP bundle (.mcpb), which Claude Desktop and others install by a click.

It contains the wheel; uv, which the client brings, installs what the wheel needs.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from embedder_api import __version__

ROOT: Final = Path(__file__).resolve().parents[1]
SOURCE: Final = ROOT / "packaging" / "mcpb"
PACKER: Final = ROOT / ".node" / "node_modules" / ".bin" / "mcpb"
PROJECT: Final = """\
[project]
name = "memory-mcp-bundle"
version = "{version}"
requires-python = ">=3.11"
dependencies = ["memory-mcp[documents]"]

[tool.uv.sources]
memory-mcp = {{ path = "{wheel}" }}
"""


def main() -> None:
    """Pack the wheel that is named into the folder that is named."""
    wheel, folder = (Path(word).resolve() for word in sys.argv[1:3])
    bundle = folder / f"memory-mcp-{__version__}.mcpb"
    stage(wheel, folder / "bundle")
    subprocess.run([PACKER, "validate", folder / "bundle" / "manifest.json"], check=True)  # noqa: S603 - of .node
    subprocess.run([PACKER, "pack", folder / "bundle", bundle], check=True)  # noqa: S603 - of .node
    shutil.rmtree(folder / "bundle")


def stage(wheel: Path, folder: Path) -> None:
    """Lay out what the bundle contains."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(SOURCE, folder)
    for file in (wheel, ROOT / "LICENSE", ROOT / "NOTICE"):
        shutil.copy(file, folder)
    project = PROJECT.format(version=__version__, wheel=wheel.name)
    (folder / "pyproject.toml").write_text(project, encoding="utf-8")


if __name__ == "__main__":
    main()
