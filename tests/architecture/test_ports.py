"""Every method of a port is asked for by the program: what only its tests want is no part of it."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import pytest

import memory_mcp
from scripts import house

ROOT = Path(memory_mcp.__file__).parent
PORTS = ROOT / "domain" / "ports"
STORE = r"(self\.)?_?store|self\._copying\(\)"
NAMED = {
    "Snapshot": r"(self\.)?_?snapshot|it",
    "SnapshotForCharts": r"(self\.)?_?snapshot|it",
    "SnapshotOfDocuments": r"(self\.)?_?snapshot|it",
    "SnapshotOfLists": r"(self\.)?_?snapshot|it",
    "SnapshotWithReach": r"(self\.)?_?snapshot|it",
    "DocumentTransfer": r"documents",
    "Embedder": r"(self\.)?_?embedder|tools\.embedder",
    "ContextSource": r"(self\.)?_?source|each",
    "ContextSources": r"((self|services)\.)?_?sources",
    "RateCounter": r"services\.shared\.rates",
    "SharedCache": r"self\._cache",
    "Tokens": r"((self|front|visit)\.)?_?tokens",
    "Identities": r"(\(?self\._provider .*|self\._identities)",
    "AuditLog": r"self\._kept",
    "ChatModel": r"(self\.)?_?model",
}
"""What the program calls an object of a port where it uses it; all others are parts of a store."""
OUTSIDE = ("storage/sqlite/", "storage/postgres/", "storage/tokens.py", "llm/", "shared/", "domain/ports/")
"""The implementations, and the ports themselves."""


def ports() -> dict[str, list[str]]:
    """Return the names of the methods that each port defines itself."""
    classes = [port for path in sorted(PORTS.glob("*.py")) for port in house.protocols(parsed(path))]
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {port.name: [item.name for item in port.body if isinstance(item, functions)] for port in classes}


def parsed(path: Path) -> ast.Module:
    """Read a file."""
    return ast.parse(path.read_text(encoding="utf-8"))


def users() -> list[ast.Module]:
    """Return the modules that use ports and implement none."""
    return [parsed(path) for path in ROOT.rglob("*.py") if not path.relative_to(ROOT).as_posix().startswith(OUTSIDE)]


def asked_of(modules: Iterable[ast.Module]) -> dict[str, set[str]]:
    """Return of what each attribute is asked, by the attribute's name."""
    asked = defaultdict(set)
    for module in modules:
        for node in ast.walk(module):
            if isinstance(node, ast.Attribute):
                asked[node.attr].add(ast.unparse(node.value))
    return asked


def unasked(port: str, methods: Iterable[str], asked: dict[str, set[str]]) -> list[str]:
    """Return the methods that are asked of nothing which the program calls such a port."""
    named = re.compile(NAMED.get(port, STORE))
    return [method for method in methods if not any(named.fullmatch(of) for of in asked.get(method, ()))]


@pytest.fixture(scope="module")
def asked() -> dict[str, set[str]]:
    """Read the program, once."""
    return asked_of(users())


@pytest.mark.parametrize(("port", "methods"), ports().items())
def test_the_program_calls_each_method_of_a_port(port: str, methods: list[str], asked: dict[str, set[str]]) -> None:
    """Outside the implementations and the tests."""
    assert unasked(port, methods, asked) == []


def test_a_method_without_a_caller_would_be_seen() -> None:
    """Neither another object's method of the same name is a call of it, nor that of another port."""
    module = ast.parse("await self._store.page(filters)\ncache.get(key)\nsnapshot.space()\nlambda store: store.tidy()")
    methods = ["page", "get", "space", "tidy"]
    assert unasked("Records", methods, asked_of([module])) == ["get", "space"]
    assert unasked("Snapshot", methods, asked_of([module])) == ["page", "get", "tidy"]
