"""From our tools to the protocol's: names, descriptions, schemas, hints."""

from __future__ import annotations

from functools import cache
from typing import Any

import mcp_types as types

from memory_mcp.tools.base import AnyTool

Schema = dict[str, Any]  # JSON Schema, as pydantic makes it


@cache
def advertised(tools: tuple[AnyTool, ...]) -> types.ListToolsResult:
    """Return the list of tools; it is the same for every client and every call."""
    return types.ListToolsResult(tools=[_advertise(tool) for tool in tools])


@cache
def input_schemas(tools: tuple[AnyTool, ...]) -> dict[str, Schema]:
    """Return the schema of each tool's arguments, as it is advertised."""
    return {tool.name: tool.input_schema for tool in advertised(tools).tools}


def _advertise(tool: AnyTool) -> types.Tool:
    return types.Tool(
        name=tool.name,
        description=tool.description,
        input_schema=_without_least_length(_lean(tool.arguments.model_json_schema(), collapse=True)),
        output_schema=_lean(tool.result.model_json_schema(mode="serialization"), collapse=False),
        annotations=types.ToolAnnotations(
            read_only_hint=tool.read_only,
            destructive_hint=tool.destructive,
            idempotent_hint=tool.idempotent,
            open_world_hint=False,
        ),
    )


def _lean(schema: Schema, *, collapse: bool) -> Schema:
    """Leave out what costs the client's context: titles, docstrings, defaults, and in arguments the explicit null."""
    lean: Schema = {}
    for key, value in schema.items():
        if isinstance(value, str) and (key == "title" or (key == "description" and "properties" in schema)):
            continue
        if key == "additionalProperties" and value is True:  # as where nothing is said
            continue
        if key in {"properties", "$defs"}:
            lean[key] = {name: _lean(inner, collapse=collapse) for name, inner in value.items()}
        elif isinstance(value, dict):
            lean[key] = _lean(value, collapse=collapse)
        elif isinstance(value, list):
            lean[key] = [_lean(item, collapse=collapse) if isinstance(item, dict) else item for item in value]
        else:
            lean[key] = value
    return _without_null(lean) if collapse else lean


def _without_least_length(schema: Schema) -> Schema:
    """Let optional texts be empty, which is taken for left out."""
    required = schema.get("required", ())
    fields = {
        name: {key: value for key, value in field.items() if key != "minLength" or name in required}
        for name, field in schema["properties"].items()
    }
    return {**schema, "properties": fields}


def _without_null(schema: Schema) -> Schema:
    """Turn "this or null, null by default" into an argument that may be left out."""
    choices = schema.get("anyOf")
    if choices is None or {"type": "null"} not in choices:
        return schema
    [only] = [choice for choice in choices if choice != {"type": "null"}]
    rest = {key: value for key, value in schema.items() if key != "anyOf" and not (key == "default" and value is None)}
    return {**only, **rest}
