"""`python -m scripts.house`: counts what makes a code base hard to change, and names it.

`python -m scripts.house FOLDER` counts another checkout. `--list` names every finding.
`tests/architecture/test_house.py` holds the bounds.
"""

from __future__ import annotations

import argparse
import ast
import fnmatch
import re
import sys
import tomllib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple, TypedDict

ROOT: Final = Path(__file__).resolve().parents[1]
PACKAGES: Final = ("memory_mcp", "embedder_daemon", "memory_common", "protos/embedder_api")
MOST_METHODS: Final = 15
MOST_LINES: Final = 400
FEWEST_LINES: Final = 40

RANKING: Final = ("memory_mcp/search", "memory_mcp/storage")
"""Where a number may decide a rank."""
POLICY: Final = "memory_mcp/search/policy.py"
STRUCTURAL: Final = (-1, 0, 1, 2)
"""Numbers that say how something is built: the first, the next, a half."""

NO_RANKS: Final[Mapping[str, str]] = {
    "memory_mcp/search/times/*": "numbers of the calendar and the clock",
    "memory_mcp/search/lexical/bm25.py:*": "FTS5 has BM25's constants built in, and scores by them too",
    "memory_mcp/search/lexical/analyzer.py:MAX_TERM": "bytes of a term: what the index files",
    "memory_mcp/search/lexical/spellings.py:*": "what the index files: another number wants a new index",
    "memory_mcp/search/lexical/stems.py:*": "likewise, and the size of a cache",
    "memory_mcp/search/excerpts.py:*": "what is shown of a result, when its rank is known",
    "memory_mcp/search/models.py:SearchQuery.limit": "results, where nobody says how many",
    "memory_mcp/search/query_vector.py:between": "bytes of a float32",
    "memory_mcp/search/named_times.py:*": "numbers of the calendar",
    "memory_mcp/search/results.py:worth_loading": "decimal",
    "memory_mcp/search/fusion.py:prominence": "Blom's formula",
    "memory_mcp/search/fusion.py:_spread": "what rounding leaves of a variance of 0",
    "memory_mcp/storage/sqlite/db/*": "timeouts, page and cache sizes, versions of the schema",
    "memory_mcp/storage/audit.py:*": "rows deleted at once",
    "memory_mcp/storage/token_secrets.py:*": "bytes of a secret",
    "memory_mcp/storage/documents/*": "rows by their keys; units of time",
    "memory_mcp/storage/keys.py:*": "bounds of what holds keys, and a pause before a person is asked again",
    "memory_mcp/storage/sqlite/records/*": "rows by their keys, in the order of time",
    "memory_mcp/storage/sqlite/maintenance/*": "copies, checks and repairs of the file",
    "memory_mcp/storage/sqlite/store.py:*": "microseconds of a second",
    "memory_mcp/storage/sqlite/lexical/keywords.py:PROBE_TERMS": "look-ups that recognize a memory in the index",
    "memory_mcp/storage/sqlite/lexical/private.py:*": "FTS5's own",
    "memory_mcp/storage/sqlite/lexical/scoring.py:TERMS_PER_*": "which way of counting is faster",
    "memory_mcp/storage/postings.py:*": "size of a cache",
    "memory_mcp/storage/postgres/cache.py:*": "size of a cache",
    "memory_mcp/storage/keyword_search.py:MAX_*": "look-ups and texts read for one query: time",
    "memory_mcp/storage/sqlite/vectors/binary_index.py:*": "layout of a file; which way of comparing is faster",
    "memory_mcp/storage/sqlite/vectors/binary_search.py:*": "vectors read and compared exactly: finds the ten nearest",
    "memory_mcp/storage/sqlite/vectors/chunks.py:*": "sqlite-vec's own chunks",
    "memory_mcp/storage/sqlite/vectors/context.py:*": "sums of SQL, whose weights are the policy's",
    "memory_mcp/storage/sqlite/vectors/exact.py:*": "bytes of a float32, and sqlite-vec's largest k",
    "memory_mcp/storage/sqlite/vectors/search.py:*": "sizes of caches; from how many vectors on signs are faster",
    "memory_mcp/storage/sqlite/vectors/private.py:*": "bytes of a float32, and sqlite-vec's own chunks",
    "memory_mcp/storage/postgres/db/*": "timeouts, connections, locks, rows at once",
    "memory_mcp/storage/postgres/maintenance/*": "time, versions and connections that a check asks for",
    "memory_mcp/storage/postgres/records/*": "rows at once, units of time",
    "memory_mcp/storage/postgres/lexical/keywords.py:*": "columns of a statement",
    "memory_mcp/storage/postgres/vectors/nearest.py:*": "vectors looked at: which way of comparing is faster",
    "memory_mcp/storage/postgres/vectors/values.py:*": "pgvector's binary form",
    "memory_mcp/storage/rows.py:*": "units of time, bytes of a digest",
    "memory_mcp/storage/cursors.py:*": "the largest integer of a database",
    "memory_mcp/storage/tokens.py:*": "bits of a secret and of a name, mode of a folder",
    "memory_mcp/storage/disk.py:*": "bytes that must be free",
}
"""`file:name` whose numbers decide what a search costs or how a file is laid out, but no rank; with the reason."""

BENEATH_ALL: Final = ("embedder_api",)
"""Packages of a few modules that are half generated; a contract of their own says that they import nothing of ours."""

SMALL_ON_PURPOSE: Final[Mapping[str, str]] = {
    "memory_mcp/cli/*": "each command is a file, imported when it is called",
    "memory_mcp/domain/ports/*": "each port is a file",
    "memory_mcp/application/authorize.py": "each middleware is a file",
    "memory_mcp/server/web/views/*": "each view is a file",
    "memory_mcp/*/checks.py": "each part registers its health checks in its own folder",
    "memory_mcp/hooks/no_embedder.py": "a hook imports it only where there is no time for the embedder's client",
    "embedder_daemon/runtime/systemd.py": "sd_notify is a protocol of its own; endpoint and server stay free of it",
    "embedder_daemon/scheduler/budget.py": "a rule without clock or model, tested by itself",
    "embedder_daemon/engines/*": "each library is touched in a file of its own, imported when its engine is chosen",
}
"""Short files with one importer that stay, and why."""


@dataclass(frozen=True, slots=True)
class Module:
    """One file of a package."""

    path: str
    """Relative to the checkout, with slashes."""
    name: str
    tree: ast.Module
    lines: int


class Contract(TypedDict, total=False):
    """What is read of a contract of import-linter."""

    containers: list[str]
    layers: list[str]


Find = Callable[[Path, list[Module]], list[str]]
"""Returns the findings in a checkout and its modules, one sentence each."""


class Measure(NamedTuple):
    """What is counted, and how."""

    title: str
    find: Find


def main() -> None:
    """Print one line for each measure."""
    parser = argparse.ArgumentParser(prog="python -m scripts.house", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT, help="the checkout to count; this one by default")
    parser.add_argument("--list", action="store_true", help="name every finding")
    options = parser.parse_args()
    modules = read(options.folder)
    for measure in MEASURES:
        findings = measure.find(options.folder, modules)
        sys.stdout.write(f"{len(findings):5}  {measure.title}\n")
        if options.list:
            sys.stdout.writelines(f"         {finding}\n" for finding in findings)


def read(root: Path) -> list[Module]:
    """Return every module of the packages, generated ones excepted."""
    found = []
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            if "_pb2" not in path.name:
                text = path.read_text(encoding="utf-8")
                relative = path.relative_to(root).as_posix()
                found.append(Module(relative, dotted(relative), ast.parse(text), len(text.splitlines())))
    return found


def dotted(path: str) -> str:
    """Return the name under which a file is imported."""
    return path.removeprefix("protos/").removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def large_ports(_root: Path, modules: list[Module]) -> list[str]:
    """Find protocols with more methods of their own than `MOST_METHODS`; a sum of small ports is none."""
    return [
        f"{port.name} ({methods(port)} methods), {module.path}"
        for module in modules
        for port in protocols(module.tree)
        if methods(port) > MOST_METHODS
    ]


def methods(port: ast.ClassDef) -> int:
    """Count what a class defines itself."""
    return sum(isinstance(item, (ast.FunctionDef, ast.AsyncFunctionDef)) for item in port.body)


def protocols(tree: ast.Module) -> Iterator[ast.ClassDef]:
    """Yield the classes that are protocols themselves."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and any("Protocol" in ast.unparse(base).split("[")[0] for base in node.bases):
            yield node


def numbers_outside_the_policy(_root: Path, modules: list[Module]) -> list[str]:
    """Find numbers that may decide a rank and stand elsewhere than in the policy."""
    return [
        f"{place} = {', '.join(numbers)}"
        for module in modules
        if module.path.startswith(RANKING) and module.path != POLICY
        for place, numbers in numbers_by_place(module).items()
        if not is_any(place, NO_RANKS)
    ]


def numbers_by_place(module: Module) -> dict[str, list[str]]:
    """Return the numbers of a file by `file:name` of the constant, function or class in which they stand."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for statement in module.tree.body:
        for scope, node in named(statement):
            found[f"{module.path}:{scope}"] += [str(number) for number in numbers(node)]
    return {place: numbers for place, numbers in found.items() if numbers}


def named(statement: ast.stmt) -> Iterator[tuple[str, ast.AST]]:
    """Yield what a statement defines under its name; a class's members one by one."""
    match statement:
        case ast.ClassDef():
            for member in statement.body:
                yield from ((f"{statement.name}.{name}", node) for name, node in named(member))
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            yield statement.name, statement
        case ast.Assign(targets=[target, *_]):
            yield ast.unparse(target), statement
        case ast.AnnAssign():
            yield ast.unparse(statement.target), statement
        case _:
            yield "", statement


def numbers(node: ast.AST) -> Iterator[float]:
    """Yield the numbers in an expression that are not structural."""
    for part in ast.walk(node):
        if isinstance(part, ast.Constant) and isinstance(part.value, int | float) and part.value not in STRUCTURAL:
            yield part.value


def repeated_types(_root: Path, modules: list[Module]) -> list[str]:
    """Find names of classes and aliases that two modules define."""
    places = defaultdict(list)
    for module in modules:
        for name in sorted(set(types(module.tree.body))):
            places[name].append(module.path)
    return [f"{name}: {', '.join(paths)}" for name, paths in sorted(places.items()) if len(paths) > 1]


def types(body: list[ast.stmt]) -> Iterator[str]:
    """Yield the classes and aliases that a module defines at its top level."""
    for node in body:
        match node:
            case ast.ClassDef(name=name):
                yield name
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if is_alias(name, value):
                yield name
            case ast.AnnAssign(target=ast.Name(id=name), annotation=kind) if ast.unparse(kind).endswith("TypeAlias"):
                yield name
            case ast.If():
                yield from types(node.body + node.orelse)


def is_alias(name: str, value: ast.expr) -> bool:
    """Say whether `name = value` gives a type a name: `Pin = tuple[str, str]`, `Key = NewType("Key", int)`."""
    capitalised = name.lstrip("_")[:1].isupper() and not name.isupper()
    if isinstance(value, ast.Call):
        return capitalised and ast.unparse(value.func) in {"NewType", "NamedTuple", "TypedDict"}
    return capitalised and isinstance(value, (ast.Subscript, ast.BinOp, ast.Name, ast.Attribute))


def parts_without_a_layer(root: Path, modules: list[Module]) -> list[str]:
    """Find files and folders in no layer of the folder in which they stand."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    layered = set(layers(project["tool"]["importlinter"]["contracts"]))
    parts = {module.name for module in modules if "." in module.name}
    return sorted(part for part in parts - layered if part.partition(".")[0] not in BENEATH_ALL)


def layers(contracts: list[Contract]) -> Iterator[str]:
    """Yield the full names of all parts that stand in a layer."""
    for contract in contracts:
        for row in contract.get("layers", []):
            for part in re.findall(r"[\w.]+", row):
                yield from (f"{container}.{part}".lstrip(".") for container in contract.get("containers", [""]))


def long_files(_root: Path, modules: list[Module]) -> list[str]:
    """Find files of more than `MOST_LINES` lines."""
    return [f"{module.path} ({module.lines} lines)" for module in modules if module.lines > MOST_LINES]


def slivers(_root: Path, modules: list[Module]) -> list[str]:
    """Find files of fewer than `FEWEST_LINES` lines that one module alone imports."""
    names = {module.name for module in modules}
    importers = defaultdict(set)
    for module in modules:
        for name in imported(module, names):
            importers[name].add(module.name)
    return [
        f"{module.path} ({module.lines} lines), for {next(iter(importers[module.name]))}"
        for module in modules
        if module.lines < FEWEST_LINES and not is_program(module) and not is_any(module.path, SMALL_ON_PURPOSE)
        if len(importers[module.name]) == 1
    ]


def is_program(module: Module) -> bool:
    """Say whether a file is what `python -m` runs, or a package's own."""
    return "__main__" in ast.unparse(module.tree) or module.path.endswith(("__init__.py", "__main__.py"))


def is_any(path: str, patterns: Iterable[str]) -> bool:
    """Say whether one of the patterns fits a path."""
    return any(fnmatch.fnmatch(path, pattern) for pattern in patterns)


def imported(module: Module, names: set[str]) -> Iterator[str]:
    """Yield our modules that a module imports, or names in a text, which is imported later or run as a program."""
    for node in ast.walk(module.tree):
        match node:
            case ast.Import(names=aliases):
                yield from (alias.name for alias in aliases if alias.name in names)
            case ast.ImportFrom(module=str(source), names=aliases):
                yield from ({source, *(f"{source}.{alias.name}" for alias in aliases)} & names)
            case ast.Constant(value=str(text)):
                yield from ({text.partition(":")[0]} & names)


MEASURES: Final = (
    Measure(f"ports of more than {MOST_METHODS} methods", large_ports),
    Measure("numbers that may decide a rank, outside the policy", numbers_outside_the_policy),
    Measure("type names that two modules define", repeated_types),
    Measure("parts that stand in no layer", parts_without_a_layer),
    Measure(f"files of more than {MOST_LINES} lines", long_files),
    Measure(f"files of fewer than {FEWEST_LINES} lines with one importer", slivers),
)

if __name__ == "__main__":
    main()
