"""Rules of the code base that no other tool checks."""

from __future__ import annotations

import ast
import itertools
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PRODUCT = ("memory_mcp", "embedder_daemon", "memory_common", "protos", "deploy")


def sources() -> Iterator[Path]:
    """Yield the product's own Python files."""
    for folder in PRODUCT:
        yield from (path for path in (ROOT / folder).rglob("*.py") if "_pb2" not in path.name)


def test_only_settings_read_the_environment() -> None:
    """`os.environ` and `getenv` stand in the two settings modules, and what other programs get beside the front's."""
    readers = {
        str(path.relative_to(ROOT))
        for path in sources()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv"}
    }
    assert readers <= {"memory_mcp/settings.py", "memory_mcp/environment.py", "embedder_daemon/settings.py"}


def test_every_exception_from_a_rule_says_why() -> None:
    """A `noqa` or `type: ignore` has its reason on the line."""
    reasoned = re.compile(r"# noqa: [A-Z0-9, ]+ [-–] \w|# type: ignore\[[a-z-]+\]  # \w")
    for path in sources():
        for line in path.read_text(encoding="utf-8").splitlines():
            if "# noqa" in line or "# type: ignore" in line:
                assert reasoned.search(line), f"{path}: {line}"


def test_files_fit_in_the_head() -> None:
    """No file of the product has more than 400 lines."""
    assert [path for path in sources() if len(path.read_text(encoding="utf-8").splitlines()) > 400] == []


def test_every_dependency_has_its_reason() -> None:
    """Each line of the front's dependencies says what it is for."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    block = text.split("dependencies = [", 1)[1].split("\n]", 1)[0]
    assert all("  # " in line for line in block.strip().splitlines())


PUBLIC = (ROOT / "packaging", ROOT / "deploy")
"""Where formats want the address of a package; `.github` is one as well, and not looked into."""


@pytest.mark.parametrize("host", ["pypi.org", "pythonhosted", "download.pytorch", "/root/", "/work/"])
def test_no_registry_and_no_path_of_a_machine_is_named(host: str) -> None:
    """The project names packages, never where some machine gets them from."""
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders if name == ".ci" or not name.startswith(".")]  # no environments
        folders[:] = [name for name in folders if host.startswith("/") or Path(folder, name) not in PUBLIC]
        for path in (Path(folder, name) for name in names if not name.startswith(".")):
            if path != Path(__file__) and path.suffix not in {".pyc", ".db", ".bin"}:
                assert host not in path.read_text(encoding="utf-8", errors="ignore"), path


STARTED_BY_US = (*PRODUCT, "scripts")


PYTHON_NAME = re.compile(r"(?:.*/)?python[\d.]*")
PYTHON_IN_TEXT = re.compile(r"(?:^|[\s/'\"])python[\d.]*\s+(?P<after>\S+)")
STARTERS = re.compile(
    r"(?:.*\.)?(?:run|call|check_call|check_output|Popen|system|popen|create_subprocess_\w+|exec[lv]\w*|spawn[lv]\w*|posix_spawnp?)"
)


def interpreters(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield the line of everything that starts a Python and the first thing that this Python is given.

    That is a list or tuple that begins with a Python, a call that starts processes, or a text for a shell; and wherever
    else an option follows a Python, as in calls of our own that start one. A Python is `sys.executable`, a name or an
    attribute that ends in `python`, or a text such as `python3`. What is unpacked (`*words`) is not known here.
    """
    for node in ast.walk(tree):
        starts = isinstance(node, ast.Call) and STARTERS.fullmatch(ast.unparse(node.func)) is not None
        for number, (item, after) in enumerate(itertools.pairwise(parts(node))):
            text = str(after.value) if isinstance(after, ast.Constant) else ast.unparse(after)
            begins = starts or (number == 0 and not isinstance(node, ast.Call))
            known = not isinstance(after, (ast.Starred, ast.List, ast.Tuple)) and not is_python(after)
            if is_python(item) and (text.startswith("-") or (begins and known)):
                yield item.lineno, text
        if starts:
            yield from ((part.lineno, after) for part in parts(node)[:1] for after in in_text(part))


def parts(node: ast.AST) -> list[ast.expr]:
    """Return the arguments of a call, or the items of a list or tuple that is not assigned to."""
    if isinstance(node, ast.Call):
        return node.args
    return node.elts if isinstance(node, (ast.List, ast.Tuple)) and isinstance(node.ctx, ast.Load) else []


def in_text(node: ast.expr) -> Iterator[str]:
    """Yield what follows each Python in a shell's command line, also where a part of the line is computed."""
    text = ""
    for part in node.values if isinstance(node, ast.JoinedStr) else [node]:
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            text += part.value
        elif isinstance(part, ast.FormattedValue):
            text += " python" if is_python(part.value) else "{}"
    yield from (found["after"] for found in PYTHON_IN_TEXT.finditer(text))


def is_python(node: ast.expr) -> bool:
    """Say whether an expression is the path of a Python, or `str` or `quote` of one."""
    if isinstance(node, ast.Call) and node.args and ast.unparse(node.func).rpartition(".")[2] in {"str", "quote"}:
        return is_python(node.args[0])
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return PYTHON_NAME.fullmatch(node.value) is not None
    name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
    return name == "executable" or name.endswith("python")


def starts_of_processes(tree: ast.AST) -> Iterator[str]:
    """Yield what begins a Python without a command line of ours."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names = [alias.name for alias in node.names] + [getattr(node, "module", None) or ""]
            yield from (name for name in names if name.startswith("multiprocessing") or name == "ProcessPoolExecutor")


def commands(path: Path) -> Iterator[str]:
    """Yield each place where a file starts a Python that is not isolated."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    yield from (f"{path.relative_to(ROOT)}: {name}" for name in starts_of_processes(tree))
    for line, after in interpreters(tree):
        if after != "-I":
            yield f"{path.relative_to(ROOT)}:{line}: {after}"


def test_every_python_that_we_start_is_isolated() -> None:
    """Neither the working folder nor the user's variables decide what a child imports: `-I` is its first option."""
    files = [path for folder in STARTED_BY_US for path in (ROOT / folder).rglob("*.py") if "_pb2" not in path.name]
    assert [place for path in files for place in commands(path)] == []


@pytest.mark.parametrize(
    "text",
    [
        "subprocess.run([sys.executable, '-m', 'x'])",
        "command = [str(environment.python), '-c', 'x']",
        "await create_subprocess_exec(sys.executable, '-P', '-m', 'x')",
        "runner.output(str(python), '-m', 'venv', folder)",
        "os.execv(self._python, (self._python, '-m', 'x'))",
        "subprocess.run([sys.executable, script])",
        "subprocess.run(['python3', '-m', 'x'])",
        "command = ('/usr/bin/python3.11', script)",
        "os.execv(sys.executable, words)",
        "os.execl(sys.executable, sys.executable, 'x.py')",
        "asyncio.create_subprocess_exec(sys.executable, script)",
        "subprocess.run(f'{sys.executable} -m x', shell=True)",
        "subprocess.run(f'cd {folder} && {shlex.quote(sys.executable)} x.py', shell=True)",
        "os.system('exec python3 -m x')",
        "asyncio.create_subprocess_shell('/usr/bin/python x.py')",
    ],
)
def test_a_python_that_is_not_isolated_would_be_seen(text: str) -> None:
    """The rule knows lists, tuples, arguments and shells, and every way in which an interpreter is named."""
    found = [after for _, after in interpreters(ast.parse(text))]
    assert found
    assert "-I" not in found


@pytest.mark.parametrize(
    "text",
    [
        "subprocess.run([sys.executable, '-I', '-m', 'x'])",
        "os.execv(sys.executable, [sys.executable, '-I', script])",
        "subprocess.run(f'{sys.executable} -I -m x', shell=True)",
        "os.system('python3 -I x.py')",
        "runner.output(str(python), *words)",
        "versions = Interpreter(python, torch)",
        "python, torch = found",
    ],
)
def test_what_is_isolated_or_starts_nothing_is_left_alone(text: str) -> None:
    """An interpreter may be named without being started."""
    assert {after for _, after in interpreters(ast.parse(text))} <= {"-I"}


def test_processes_of_pythons_own_are_seen() -> None:
    """They start a Python whose command line is not ours."""
    assert list(starts_of_processes(ast.parse("from concurrent.futures import ProcessPoolExecutor")))
