"""The reference is what the program is."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable

import click
import pytest

from memory_mcp import cli
from memory_mcp.server.mcp import listed
from memory_mcp.settings import Settings, defaults
from memory_mcp.tools import offered
from scripts import reference

COMMANDS = list(reference.walk(cli.commands, click.Context(cli.commands, None, cli.PROGRAM)))
SWITCHES = [name for name, field in Settings.model_fields.items() if isinstance(field.default, bool)]


def test_the_page_is_what_is_generated() -> None:
    """`make docs` would change nothing."""
    assert reference.PAGE.read_text(encoding="utf-8") == reference.page(), "run make docs"


def test_the_list_of_tools_is_what_is_generated() -> None:
    """`make docs` would change nothing in what tools/list answers."""
    assert listed.FILE.read_text(encoding="utf-8") == reference.tool_list(), "run make docs"


@pytest.mark.parametrize("name", ["", *SWITCHES])
def test_the_list_of_tools_follows_the_settings(name: str) -> None:
    """Whatever is switched on or off, the list has the tools that are offered, from the file or not."""
    usual = defaults()
    switched = usual.model_copy(update={name: not getattr(usual, name)} if name else {})
    assert [tool.name for tool in listed.listed(switched).tools] == [tool.name for tool in offered(switched)]


@pytest.mark.parametrize(("command", "ctx"), COMMANDS, ids=[ctx.command_path for _, ctx in COMMANDS])
def test_every_command_and_option_is_documented_and_used(command: click.Command, ctx: click.Context) -> None:
    """Each says what it is in a sentence, stands on the page, and is read by the function behind it."""
    page = reference.PAGE.read_text(encoding="utf-8")
    assert command.help
    assert f"\n{ctx.command_path} " in page
    options = [parameter for parameter in command.params if isinstance(parameter, click.Option)]
    for option in options:
        assert option.help, option.name
        assert all(f"`{flag}" in page or f", {flag}" in page for flag in option.opts), option.name
    if command.callback is not None:
        used = _read_by(command.callback)
        assert {str(each.name) for each in command.params if each.expose_value} <= used or "options" in used


def _read_by(function: Callable[..., object]) -> set[str]:
    """Return the names that a function reads; `options` are what it hands to its tool (tests/e2e/test_options)."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
