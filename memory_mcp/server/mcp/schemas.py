"""From our tools to the protocol's: names, descriptions, schemas, hints."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

import mcp_types as types

from memory_mcp.tools.base import AnyTool
from memory_mcp.tools.fields import FilterArguments
from memory_mcp.tools.search import SEARCH

JsonSchema = dict[str, Any]  # JSON schema, as pydantic makes it

BRIEF: Final = ("type", "enum", "format")
"""What is said of an argument that another tool's schema explains."""


@cache
def advertised(tools: tuple[AnyTool, ...]) -> types.ListToolsResult:
    """Return the list of tools; it is the same for every client and every call."""
    return types.ListToolsResult(tools=[_advertise(tool) for tool in tools])


@cache
def input_schemas(tools: tuple[AnyTool, ...]) -> dict[str, JsonSchema]:
    """Return the schema of each tool's arguments, as it is advertised."""
    return {tool.name: tool.input_schema for tool in advertised(tools).tools}


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
            open_world_hint=False,
        ),
    )


def _lean(schema: JsonSchema, *, collapse: bool) -> JsonSchema:
    """Leave out what costs the client's context: titles, docstrings, what holds where nothing is said."""
    lean: JsonSchema = {}
    for key, value in schema.items():
        if isinstance(value, str) and (key == "title" or (key == "description" and "properties" in schema)):
            continue
        if value is True and key == "additionalProperties":  # as where nothing is said
            continue
        if value is False and key == "default" and collapse:  # so is a flag that is not given
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
    """Let optional texts be empty, which is taken for left out."""
    required = schema.get("required", ())
    fields = {
        name: {key: value for key, value in field.items() if key != "minLength" or name in required}
        for name, field in schema["properties"].items()
    }
    return {**schema, "properties": fields}


def _with_brief_filters(schema: JsonSchema) -> JsonSchema:
    """Say only what kind of value each filter takes: the schema of memory_search has the descriptions and bounds."""
    fields = schema["properties"]
    return {**schema, "properties": fields | {name: _brief(fields[name]) for name in FilterArguments.model_fields}}


def _brief(field: JsonSchema) -> JsonSchema:
    kept: JsonSchema = {key: field[key] for key in BRIEF if key in field}
    if "items" in field:
        kept["items"] = _brief(field["items"])
    return kept


def _without_null(schema: JsonSchema) -> JsonSchema:
    """Turn "this or null, null by default" into an argument that may be left out."""
    choices = schema.get("anyOf")
    if choices is None or {"type": "null"} not in choices:
        return schema
    [only] = [choice for choice in choices if choice != {"type": "null"}]
    rest = {key: value for key, value in schema.items() if key != "anyOf" and not (key == "default" and value is None)}
    return {**only, **rest}
