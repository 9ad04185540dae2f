"""Reads source code, cut at its definitions: Python by its syntax tree, others by their indentation and braces.

A parser of each language (tree-sitter's) would weigh more than all other readers together; where lines at the margin
begin definitions, as they do in the languages that people keep, cutting there gives the same blocks.
"""

from __future__ import annotations

import ast
import io
import re
import warnings
from collections.abc import Iterator
from typing import Final, TextIO

from memory_mcp.documents.readers import charsets
from memory_mcp.documents.readers.model import DocumentItem, DocumentSource, Header, TextBlock
from memory_mcp.documents.readers.plain import MAX_HEADING, cut, empty, plain

MAX_PARSED: Final = 2 * 2**20
"""Characters of Python that are parsed: a tree takes a hundred times as much memory."""
MAX_LINE: Final = 64 * 1024
MAX_BLOCK: Final = 64 * 1024
LARGE_CLASS: Final = 2_000
"""Characters from which on a class is cut at its methods."""

_DEFINES: Final = re.compile(
    r"(?:(?:export|default|public|private|protected|internal|static|final|abstract|sealed|async|pub(?:\([^)]*\))?|unsafe|"
    r"extern|inline|const|open|override|virtual|data|partial|local|declare|template\s*<[^>]*>)\s+)*"
    r"(?:function|func|fn|def|defp|defmodule|class|interface|struct|enum|trait|impl|module|namespace|type|record|object|"
    r"protocol|extension|macro_rules!|sub|procedure|union|contract|package|create\s+(?:or\s+replace\s+)?(?:temp\w*\s+)?"
    r"(?:table|view|function|procedure|trigger|index))\b",
    re.IGNORECASE,
)
_CALLABLE: Final = re.compile(r"[\w:<>*&,\s\[\].~]+\([^;]*$|(?:const|let|var)\s+\w+\s*=\s*(?:async\s*)?(?:\(|function)")
_LEADS: Final = re.compile(r"//|/\*|\*|#(?!include|define|if|else|endif|pragma)|--|;;|@|\[|\"\"\"|%")
"""Comments, decorators and attributes: they belong to what follows."""
_CLOSES: Final = re.compile(r"[}\])]|end\b|else\b|elif\b|except\b|catch\b|finally\b|then\b|esac\b|fi\b|done\b|\*/")


def read(source: DocumentSource) -> Iterator[DocumentItem]:
    with charsets.opened(source.file) as text:
        start = text.read(MAX_PARSED)
        tree = _parsed(start) if source.name.endswith((".py", ".pyi")) else None
        if tree is None:
            text.seek(0)
        blocks = _of_python(start, tree) if tree is not None else _of_lines(text)
        first = next(blocks, None)
        if first is None:
            raise empty()
        yield Header(media_type="text/x-source")
        yield first
        yield from blocks


def _parsed(text: str) -> ast.Module | None:
    if len(text) >= MAX_PARSED:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a file's own escapes and comparisons
            return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # read by its lines then, as another language is
        return None


def _of_python(text: str, tree: ast.Module) -> Iterator[TextBlock]:
    yield from _body(io.StringIO(text).readlines(), tree.body, 0, None, ())


def _body(
    lines: list[str], body: list[ast.stmt], start: int, end: int | None, heading: tuple[str, ...]
) -> Iterator[TextBlock]:
    """Yield the statements of a body from line `start` to `end`, and each definition for itself."""
    for statement in body:
        if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        first = min((node.lineno for node in statement.decorator_list), default=statement.lineno) - 1
        first = _above(lines, first, start)
        last = statement.end_lineno or first + 1
        yield from _block("".join(lines[start:first]), heading)
        whole = "".join(lines[first:last])
        if isinstance(statement, ast.ClassDef) and len(whole) > LARGE_CLASS and not heading:
            yield from _body(lines, statement.body, first, last, (cut(f"class {statement.name}", MAX_HEADING),))
        else:
            yield from _block(whole, heading, stands_alone=True)
        start = last
    yield from _block("".join(lines[start:end]), heading)


def _above(lines: list[str], first: int, start: int) -> int:
    """Return where the comments directly above a definition begin."""
    while first > start and lines[first - 1].lstrip().startswith("#"):
        first -= 1
    return first


def _of_lines(text: TextIO) -> Iterator[TextBlock]:
    """Yield a block for each part that begins at the margin after a blank line, or with a definition."""
    part: list[str] = []
    size = 0
    after_blank = True
    while line := text.readline(MAX_LINE):
        at_margin = not line[0].isspace() and not _CLOSES.match(line)
        if (at_margin and _is_full(part, line, after_blank=after_blank)) or size > MAX_BLOCK:
            yield from _of_part(part)
            part, size = [], 0
        part.append(line)
        size += len(line)
        after_blank = line.isspace()
    yield from _of_part(part)


def _is_full(part: list[str], line: str, *, after_blank: bool) -> bool:
    """Tell whether a line at the margin begins another part, or goes on with this one."""
    if not part or all(_LEADS.match(before) or before.isspace() for before in part[-40:]):
        return False
    return after_blank or _DEFINES.match(line) is not None


def _of_part(part: list[str]) -> Iterator[TextBlock]:
    code = next((line for line in part if not line.isspace() and not _LEADS.match(line)), "")
    defines = _DEFINES.match(code) is not None or (_CALLABLE.match(code[:200]) is not None and len(part) > 2)
    yield from _block("".join(part), (), stands_alone=defines)


def _block(text: str, heading: tuple[str, ...], *, stands_alone: bool = False) -> Iterator[TextBlock]:
    text = plain(text)
    if text.strip():
        yield TextBlock(text, heading, stands_alone=stands_alone)
