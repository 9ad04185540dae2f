"""`make docs`: write docs/reference.md and the list of tools that MCP clients get, from the program itself.

A section is a function that returns its Markdown, and a line in SECTIONS.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import click
from pydantic.fields import FieldInfo

from embedder_daemon import errors as daemon_errors
from embedder_daemon import settings as daemon_settings
from memory_common.described import told, variable
from memory_mcp import cli, settings
from memory_mcp.application import resources
from memory_mcp.application.prompts import PROMPTS
from memory_mcp.server.mcp import listed
from memory_mcp.server.mcp.schemas import advertised
from memory_mcp.tools import TOOLS, offered
from memory_mcp.tools.base import AnyTool
from memory_mcp.tools.chatgpt import CHATGPT_FETCH, CHATGPT_SEARCH
from scripts.metrics import table as metrics_table

PAGE: Final = Path(__file__).resolve().parent.parent / "docs" / "reference.md"
HEAD: Final = "# Reference\n\nWritten by `make docs` from the program itself; a test compares the two."
FILTERS: Final = """\
A `metadata` filter maps names of members to values. A plain value must be equal (1 equals 1.0, but neither "1" nor
true), and so must a list or an object. An object whose keys are operators is a comparison: `gte`, `gt`, `lte` and
`lt` take a number or a text, and compare numbers with numbers and texts with texts; `ne` takes any value, `in` a list
of values. All comparisons on a member must hold. Unknown operators (`$gte`, `eq`), `{}`, and integers that do not fit
into 64 bits are refused by name; stored integers may be larger and are kept exactly. To match an object that has such
a key itself, put it in a list: `{"in": [{"eq": 1}]}`."""
Schema = dict[str, Any]  # JSON Schema, as pydantic makes it


def tools() -> str:
    """Return the tools."""
    said = [
        "An argument with a star is required; an unknown one is an error that names the nearest known one. The command "
        "line has the tools with the same arguments (below).",
        FILTERS,
        *[_tool(tool) for tool in TOOLS],
        "With `MCP_MEMORY_CHATGPT_TOOLS_ENABLED` also:",
        *[_tool(tool) for tool in (CHATGPT_SEARCH, CHATGPT_FETCH)],
    ]
    return "\n\n".join(["## Tools", *said])


def _tool(tool: AnyTool) -> str:
    schema = tool.arguments.model_json_schema()
    rows = [
        (
            f"`{name}`{'*' if name in schema.get('required', ()) else ''}",
            _kind(field),
            _default(field),
            field["description"],
        )
        for name, field in schema.get("properties", {}).items()
    ]
    aliases = [f"`{alias}` for `{name}`" for alias, name in tool.arguments.aliases.items()]
    parts = [
        f"### {tool.name}",
        tool.description,
        _table(("argument", "kind", "default", "what it is"), rows) if rows else "No arguments.",
        f"Accepted too: {', '.join(aliases)}." if aliases else "",
        _result(tool),
    ]
    return "\n\n".join(part for part in parts if part)


def _result(tool: AnyTool) -> str:
    properties = tool.result.model_json_schema(mode="serialization")["properties"]
    said = [
        f"`{name}`" + (f" ({field['description']})" if "description" in field else "")
        for name, field in properties.items()
    ]
    return f"Result: {'; '.join(said)}."


def _kind(field: Schema) -> str:
    """Say what an argument may be."""
    schema = next((choice for choice in field.get("anyOf", ()) if choice["type"] != "null"), field)
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    kind = {"string": "text", "array": "list", "object": "JSON object", "boolean": "true or false"}.get(
        schema["type"], schema["type"]
    )
    kind = "time" if schema.get("format") == "date-time" else kind
    for least, most, of in (
        ("minimum", "maximum", ""),
        ("minLength", "maxLength", " characters"),
        ("minItems", "maxItems", " items"),
    ):
        if bounds := _bounds(schema.get(least), schema.get(most)):
            return f"{kind}, {bounds}{of}"
    return kind


def _bounds(least: float | None, most: float | None) -> str:
    if most is None:
        return "" if least is None else f"at least {least:,}"
    return f"at most {most:,}" if least is None else f"{least:,}–{most:,}"


def _default(field: Schema) -> str:
    default = field.get("default")
    return "" if default is None else f"`{str(default).lower() if isinstance(default, bool) else default}`"


def resources_and_prompts() -> str:
    """Return what clients read and ask for."""
    rows = [(f"`{each.uri}`", each.description) for each in (*resources.RESOURCES, *resources.TEMPLATES)]
    prompts = [(f"`{each.name}`", _arguments(each.arguments), each.description) for each in PROMPTS]
    return "\n\n".join(
        [
            "## Resources and prompts",
            "JSON, of the caller's namespace; subscribers are notified of writes by any process.",
            _table(("resource", "what it is"), rows),
            _table(("prompt", "arguments", "what it is"), prompts),
        ]
    )


def _arguments(arguments: Sequence[Any]) -> str:
    return ", ".join(f"`{each.name}`{'*' if each.required else ''}" for each in arguments)


def configuration() -> str:
    """Return the settings of both programs."""
    return "\n\n".join(
        [
            "## Settings",
            "Defaults < TOML file < environment < command line. `memory-mcp config` shows the values and where each "
            "comes from, and reports unknown names.",
            "### The front's",
            "The file is `config.toml` in the configuration folder, or the one that `MCP_MEMORY_CONFIG` names; there "
            "and in `memory-mcp --set NAME=VALUE`, a setting has its name below without `MCP_MEMORY_`, in lower case.",
            _settings(settings.PREFIX, settings.Settings.model_fields),
            "### The daemon's",
            "The file is `embedder.toml` in the configuration folder, or the one that `EMBEDDER_CONFIG` names. The "
            "daemon also takes each as an option (`embedder-daemon --help`).",
            _settings(daemon_settings.PREFIX, daemon_settings.DaemonSettings.model_fields),
        ]
    )


def _settings(prefix: str, fields: dict[str, FieldInfo]) -> str:
    rows = [
        (f"`{variable(prefix, name, field)}`", _by_default(field), told(field, "unit"), field.description or "")
        for name, field in fields.items()
    ]
    return _table(("variable", "default", "unit", "meaning"), rows)


def _by_default(field: FieldInfo) -> str:
    if field.default_factory is not None:
        return told(field, "default")
    return "" if field.default in {None, ()} else f"`{field.default}`"


def commands() -> str:
    """Return the commands with their options."""
    said = [
        _command(command, ctx) for command, ctx in walk(cli.commands, click.Context(cli.commands, None, cli.PROGRAM))
    ]
    return "\n\n".join(["## Commands", *said])


def walk(command: click.Command, ctx: click.Context) -> Iterator[tuple[click.Command, click.Context]]:
    """Yield a command and all that are below it."""
    yield command, ctx
    if isinstance(command, click.Group):
        for name in command.list_commands(ctx):
            if inner := command.get_command(ctx, name):
                yield from walk(inner, click.Context(inner, info_name=name, parent=ctx))


def _command(command: click.Command, ctx: click.Context) -> str:
    usage = " ".join([ctx.command_path, *command.collect_usage_pieces(ctx)])
    records = [option.get_help_record(ctx) for option in command.params if isinstance(option, click.Option)]
    rows = [(f"`{record[0]}`", record[1]) for record in records if record]
    parts = [
        f"### {ctx.command_path.removeprefix(f'{cli.PROGRAM} ')}",
        f"```text\n{usage}\n```",
        _paragraphs(command.help or ""),
        _table(("option", "what it does"), rows) if rows else "",
    ]
    return "\n\n".join(part for part in parts if part)


def _paragraphs(text: str) -> str:
    """Keep what click keeps as it is."""
    parts = inspect.cleandoc(text).split("\n\n")
    return "\n\n".join(
        "```text\n" + part.removeprefix("\b\n") + "\n```" if part.startswith("\b\n") else " ".join(part.split())
        for part in parts
    )


def exit_codes() -> str:
    """Return the exit codes of both programs."""
    rows = [(str(code), meaning) for code, meaning in cli.EXIT_CODES.items()]
    daemons = [line for line in (daemon_errors.__doc__ or "").splitlines() if line.startswith("|")]
    return "\n\n".join(
        [
            "## Exit codes",
            "### memory-mcp's",
            _table(("code", "what happened"), rows),
            "### embedder-daemon's",
            "\n".join(daemons),
        ]
    )


def _table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [
        headers,
        ["---"] * len(headers),
        *([" ".join(cell.replace("|", "\\|").split()) for cell in row] for row in rows),
    ]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def metrics() -> str:
    """Return the metrics of both programs."""
    rows = [(f"`{row.name}`", row.program, row.kind, row.help) for row in metrics_table()]
    return "\n\n".join(
        [
            "## Metrics",
            "For Prometheus; [Operations](operations.md) says where they are served.",
            _table(("metric", "program", "kind", "what it is"), rows),
        ]
    )


SECTIONS: Final[tuple[Callable[[], str], ...]] = (
    tools,
    resources_and_prompts,
    commands,
    configuration,
    metrics,
    exit_codes,
)


def page() -> str:
    """Return the whole page."""
    return "\n\n".join([HEAD, *(section() for section in SECTIONS)]) + "\n"


def tool_list() -> str:
    """Return the list of tools as the front keeps it."""
    return listed.to_json(advertised(offered(settings.defaults())))


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    listed.FILE.write_text(tool_list(), encoding="utf-8")
