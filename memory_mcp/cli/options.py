"""Turns a tool's arguments into a command's options, with the same names, descriptions, bounds and defaults."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, TypeVar

import click
from click.core import ParameterSource

from memory_common.utf8 import NotUtf8Error, decoded
from memory_mcp import settings
from memory_mcp.application.request import ToolCall
from memory_mcp.application.stack import make_local_dispatcher
from memory_mcp.cli.completers import NAMESPACE, TAG
from memory_mcp.cli.session import with_services
from memory_mcp.domain.errors import InvalidArgumentError, cut
from memory_mcp.domain.principal import local_user
from memory_mcp.search.times import BEGINNING, iso, meaning
from memory_mcp.tools.base import AnyTool, ArgumentsT, ResultT, Tool
from memory_mcp.tools.json_text import as_tags
from memory_mcp.tools.services import Services

F = TypeVar("F", bound=Callable[..., object])
TypeOption = click.ParamType[Any]  # click types its options' values so
OptionSchema = Mapping[str, Any]  # JSON schema, as pydantic makes it


class MomentOption(click.ParamType[datetime]):
    """A time in ISO 8601 or in words; a span ("yesterday", "last week") stands for its start."""

    name = "time"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Parse a moment; without a time zone it is in the user's."""
        try:
            return iso.moment(value)
        except ValueError as error:
            problem = f"{cut(value)!r} is not a time; give ISO 8601 ({iso.ACCEPTED}), or words such as 'last week'"
            return self._in_words(value, str(error) if value.strip()[:4].isdecimal() else problem, param, ctx)

    def _in_words(self, value: str, problem: str, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        try:
            start = meaning(value)[0]
        except InvalidArgumentError:
            self.fail(problem, param, ctx)
        if start == BEGINNING:
            self.fail(f"{cut(value)!r} has no start; use --before or --time-expr", param, ctx)
        return start


class Optional(click.Option):
    """An option whose blank value is passed on: the tool decides whether it counts as left out."""

    def type_cast_value(self, ctx: click.Context, value: object) -> object:
        """Convert the value unless it is blank."""
        return "" if isinstance(value, str) and not value.strip() else super().type_cast_value(ctx, value)


class ContentOption(click.ParamType[str]):
    """A text; `-` reads stdin."""

    name = "text"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the text; the last newline of stdin is dropped."""
        if value != "-":
            return value
        if sys.stdin is None:
            self.fail("stdin is closed; pipe the text into it", param, ctx)
        try:
            text = decoded(sys.stdin.buffer.read())
        except NotUtf8Error as error:
            self.fail(f"stdin: {error}", param, ctx)
        return text.removesuffix("\n").removesuffix("\r")


CONTENT: Final = ContentOption()
TYPES: Final[Mapping[str, TypeOption]] = {
    "object": click.STRING,
    "date-time": MomentOption(),
    "string": click.STRING,
    "array": click.STRING,
}
"""By JSON schema's type or format, numbers aside."""
OF_NAME: Final[Mapping[str, TypeOption]] = {"content": CONTENT, "tags": TAG, "namespace": NAMESPACE}
"""By name, for arguments that need more than their type."""
SAID: Final = {CONTENT: "; - reads stdin", TYPES["date-time"]: "; or in words, such as 'yesterday'"}
"""What a type adds to an argument's description."""


def options_of(tool: AnyTool, *arguments: str) -> Callable[[F], F]:
    """Add a tool's arguments to a command as options, except those that the command takes as `arguments`."""

    def decorate(command: F) -> F:
        for name, field in reversed(tool.arguments.model_json_schema()["properties"].items()):
            if name not in arguments:
                command = _option(name, field)(command)
        return command

    return decorate


def _option(name: str, field: OptionSchema) -> Callable[[F], F]:
    schema = {**field, **_non_null(field)}
    words, flag = schema["description"].rstrip("…, "), f"--{name.replace('_', '-')}"
    if schema["type"] == "boolean":
        return click.option(flag, is_flag=True, help=f"{words}.")
    kind = _type(name, schema)
    if schema["type"] == "array":
        return click.option(
            flag.removesuffix("s"),
            flag,
            name,
            multiple=True,
            type=kind,
            callback=_as_words,
            help=f"{words}; comma-separated or repeated.",
        )
    words += SAID.get(kind, "")
    return click.option(
        flag,
        cls=Optional,
        type=kind,
        default=schema.get("default"),
        show_default=True,
        callback=_unless_default,
        help=f"{words}.",
    )


def _non_null(field: OptionSchema) -> OptionSchema:
    """Return the non-null alternative of a schema."""
    return next((choice for choice in field.get("anyOf", ()) if choice["type"] != "null"), {})


def _type(name: str, schema: OptionSchema) -> TypeOption:
    if name in OF_NAME:
        return OF_NAME[name]
    if "enum" in schema:
        return click.Choice(schema["enum"])
    if schema["type"] == "integer":
        return click.IntRange(schema.get("minimum"), schema.get("maximum"))
    if schema["type"] == "number":
        return click.FloatRange(schema.get("minimum"), schema.get("maximum"))
    return TYPES[schema.get("format", schema["type"])]


def _as_words(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> list[object] | None:
    """Return the words of all values; a value may be comma-separated or a JSON array.

    Raises:
        click.BadParameter: a value begins like JSON but is not an array.
    """
    try:
        return [word for value in values for word in as_tags(value)] if values else None
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def _unless_default(ctx: click.Context, param: click.Parameter, value: object) -> object:
    """Pass None for a default: the tool has the same default and treats given values differently."""
    return None if ctx.get_parameter_source(param.name or "") is ParameterSource.DEFAULT else value


def call(tool: Tool[ArgumentsT, ResultT], given: Mapping[str, object]) -> ResultT:
    """Run a tool as the local user.

    Raises:
        click.UsageError: an argument breaks a bound.
        MemoryMcpError: what the tool raises.
    """
    try:
        request = ToolCall(local_user(settings.load().namespace), tool, given, is_bounded=False)
        request.validate()  # before a store is opened or created

        async def work(services: Services) -> ResultT:
            return await make_local_dispatcher(services).dispatch(request)

        return with_services(work, writes=not tool.read_only)
    except InvalidArgumentError as error:
        raise click.UsageError(str(error)) from error
