"""One name, one type: the daemon and what both programs share name theirs apart from the front's."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[2]


def types_of(folder: str) -> dict[str, set[str]]:
    """Return the names of classes and type aliases at the top of modules, with the modules that define each."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if name := defined_type(node):
                found[name].add(path.relative_to(ROOT).as_posix())
    return found


def defined_type(node: ast.stmt) -> str:
    """Return the name of the type that a statement defines, or nothing; constants are in capitals."""
    if isinstance(node, ast.ClassDef):
        return node.name
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
        name = node.targets[0].id
        return name if name[:1].isupper() and not name.isupper() else ""
    return ""


def test_a_type_of_the_daemon_has_a_name_of_its_own() -> None:
    """It is defined once, and the front has none of this name."""
    front = types_of("memory_mcp")
    for folder in ("embedder_daemon", "memory_common"):
        for name, modules in types_of(folder).items():
            assert modules | front.get(name, set()) == {min(modules)}, name
