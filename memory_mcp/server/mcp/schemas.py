"""Converts our tools to MCP's: names, descriptions, schemas and hints."""

from __future__ import annotations

from typing import Any, Final

import mcp_types as types

from memory_mcp.tools.base import AnyTool
from memory_mcp.tools.fields import FilterArguments
from memory_mcp.tools.search import SEARCH

JsonSchema = dict[str, Any]  # JSON schema, as pydantic makes it

BRIEF: Final = ("type", "enum")
"""What is kept of an argument that another tool's schema explains."""


def advertised(tools: tuple[AnyTool, ...]) -> types.ListToolsResult:
    """Return the list of tools, the same for every client and call."""
    return types.ListToolsResult(tools=[_advertise(tool) for tool in tools])


def _advertise(tool: AnyTool) -> types.Tool:
    schema = _without_least_length(_lean(tool.arguments.model_json_schema(), collapse=True))
    is_explained = tool is SEARCH or not issubclass(tool.arguments, FilterArguments)
    return types.Tool(
        name=tool.name,
        description=tool.description if is_explained else f"{tool.description} Filters as in {SEARCH.name}.",
        input_schema=schema if is_explained else _with_brief_filters(schema),
        output_schema=_lean(tool.result.model_json_schema(mode="serialization"), collapse=False),
        annotations=types.ToolAnnotations(
            read_only_hint=tool.read_only,
            destructive_hint=tool.destructive,
            idempotent_hint=tool.idempotent,
            open_world_hint=tool.open_world,
        ),
    )


def _lean(schema: JsonSchema, *, collapse: bool) -> JsonSchema:
    """Drop what only costs context: titles, docstrings and values that are the default anyway."""
    lean: JsonSchema = {}
    for key, value in schema.items():
        if isinstance(value, str) and (key == "title" or (key == "description" and "properties" in schema)):
            continue
        if value is True and key == "additionalProperties":  # the default anyway
            continue
        if value is False and key == "default" and collapse:  # a flag defaults to false anyway
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


def _without_least_length(schema: JsonSchema) -> JsonSchema:
    """Allow empty optional strings, which count as left out."""
    required = schema.get("required", ())
    fields = {
        name: {key: value for key, value in field.items() if key != "minLength" or name in required}
        for name, field in schema["properties"].items()
    }
    return {**schema, "properties": fields}


def _with_brief_filters(schema: JsonSchema) -> JsonSchema:
    """Keep only the types of filters: memory_search's schema has their descriptions and bounds."""
    fields = schema["properties"]
    return {**schema, "properties": fields | {name: _brief(fields[name]) for name in FilterArguments.model_fields}}


def _brief(field: JsonSchema) -> JsonSchema:
    return {key: field[key] for key in BRIEF if key in field}


def _without_null(schema: JsonSchema) -> JsonSchema:
    """Turn a nullable argument that defaults to null into an optional one."""
    choices = schema.get("anyOf")
    if choices is None or {"type": "null"} not in choices:
        return schema
    [only] = [choice for choice in choices if choice != {"type": "null"}]
    rest = {key: value for key, value in schema.items() if key != "anyOf" and not (key == "default" and value is None)}
    return {**only, **rest}
