"""The answer to `tools/list`, from a file where the settings leave the tools as they are.

The tools are imported once it is sent: with their models they are an eighth of the time until then.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import mcp_types as types

from memory_mcp.settings import Settings

FILE: Final = Path(__file__).with_name("tools.json")
"""Written by `make docs`; a test compares it with the tools."""
DECISIVE: Final = ("read_only", "documents_enabled", "context_enabled", "chatgpt_tools_enabled")
"""The settings on which `tools.offered` depends; a test turns each one over."""


def listed(settings: Settings) -> types.ListToolsResult:
    """Return the tools that these settings offer.

    Args:
        settings: of this server; the file is for the usual ones.
    """
    if all(getattr(settings, name) == Settings.model_fields[name].default for name in DECISIVE):
        return types.ListToolsResult.model_validate_json(FILE.read_bytes())
    from memory_mcp.server.mcp.schemas import advertised  # noqa: PLC0415 - the tools, which the usual list does not need
    from memory_mcp.tools import offered  # noqa: PLC0415 - likewise

    return advertised(offered(settings))


def arguments_in(tools: types.ListToolsResult, name: str) -> dict[str, Any] | None:
    """Return the schema of a tool's arguments; None for one that is not offered."""
    return next((tool.input_schema for tool in tools.tools if tool.name == name), None)


def to_json(tools: types.ListToolsResult) -> str:
    """Return what the file holds."""
    return tools.model_dump_json(by_alias=True, exclude_none=True, indent=1) + "\n"
