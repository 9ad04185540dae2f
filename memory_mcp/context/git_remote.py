"""Where a git repository comes from, read from its files; git itself is never run."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

MOST_BYTES: Final = 1_000_000
"""Of a configuration that is read; more is ignored."""
_SECTION: Final = re.compile(r'\[\s*([\w.-]+)\s*(?:"((?:[^"\\]|\\.)*)"\s*)?\]')
_VARIABLE: Final = re.compile(r"([A-Za-z][A-Za-z0-9-]*)\s*=\s*(.*)", re.DOTALL)
_PART: Final = re.compile(r'"((?:[^"\\]|\\.)*)"|\\(.)|([#;].*)|([^"\\#;]+)', re.DOTALL)
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)
_HELPER: Final = re.compile(r"[\w+-]+::")
_SCP: Final = re.compile(r"(?:[^/@]*@)?(\[[^\]/]+\]|[^:/@]{2,}):(.*)", re.DOTALL)
"""git@host:path; a single letter is a drive of Windows."""


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository that a folder lies in."""

    top: Path
    """The folder with `.git`; of a worktree, that of the repository which it belongs to."""
    remote: str | None
    """The address that it was cloned from: that of `origin`, else of the first remote."""


def repository_of(folder: Path, above: Path) -> Repository | None:
    """Return the repository that a folder lies in; one in the folder `above` is not looked at, nor those beyond."""
    for top in (folder, *folder.parents):
        if top == above:
            return None
        if (found := _opened(top)) is not None:
            return found
    return None


def _opened(top: Path) -> Repository | None:
    """Return the repository whose `.git` lies in a folder: a folder itself, or a file that names one."""
    git = top / ".git"
    if not git.is_dir():
        named = _read(git).strip()
        if not named.startswith("gitdir:"):
            return None
        git = top / named.removeprefix("gitdir:").strip()
    common = _read(git / "commondir").strip()  # a worktree shares the configuration of its repository
    if common:
        git = (git / common).resolve()
        top = git.parent if git.name == ".git" else top
    if not (git / "HEAD").exists():
        return None
    return Repository(top, _remote(_read(git / "config")))


def _read(path: Path) -> str:
    """Return a file's beginning; nothing if it is missing, no file, or may not be read."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # opening a pipe would wait
            return ""
        with path.open("rb") as file:
            return file.read(MOST_BYTES).decode("utf-8-sig", errors="replace")
    except (OSError, ValueError):  # ValueError: a name with a null character
        return ""


def _remote(config: str) -> str | None:
    urls: dict[str, str] = {}
    for section, variable, value in _variables(config):
        kind, _, name = section.partition(".")
        if kind == "remote" and name and variable == "url" and value:
            urls.setdefault(name, value)
    return urls.get("origin") or next(iter(urls.values()), None)


def _variables(config: str) -> Iterator[tuple[str, str, str]]:
    """Yield (section, variable, value) of a text in git's notation; what is not understood is passed over."""
    section = ""
    lines = iter(config.split("\n"))
    for line in lines:
        rest = line.strip()
        if header := _SECTION.match(rest):
            name, of = header[1].lower(), header[2]
            section = name if of is None else name + "." + _ESCAPED.sub(r"\1", of)
            rest = rest[header.end() :].strip()
        if not (found := _VARIABLE.match(rest)):
            continue
        value = found[2]
        while _is_continued(value):
            value = value[:-1] + next(lines, "").rstrip("\r")
        yield section, found[1].lower(), _value(value)


def _is_continued(value: str) -> bool:
    return (len(value) - len(value.rstrip("\\"))) % 2 == 1


def _value(written: str) -> str:
    """Return a value without its quotes, escapes and comment."""
    parts = []
    for quoted, escaped, comment, plain in _PART.findall(written):
        if comment:
            break
        parts.append(_ESCAPED.sub(r"\1", quoted) or escaped or plain)
    return "".join(parts).strip()


def place_of(remote: str, top: Path) -> str | Path | None:
    """Return what all clones of a remote have in common: `host/path`, or a folder of this machine.

    User, password, port, query and the suffix `.git` are left out, and `git@host:path` is `https://host/path`.

    Args:
        remote: as it is configured.
        top: the folder that a relative path begins at.

    Returns:
        None if the address names nothing.
    """
    while helper := _HELPER.match(remote):
        remote = remote[helper.end() :]
    if "://" in remote:
        return _of_url(remote, top)
    if scp := _SCP.fullmatch(remote):
        host, path = scp[1].strip("[]"), scp[2].partition("?")[0]
        return _joined(host.partition(":")[0] if scp[1] != host and host.count(":") == 1 else host, path)
    return _folder(remote, top)


def _of_url(url: str, top: Path) -> str | Path | None:
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:  # the host is not one
        return None
    path = unquote(parts.path)
    return _folder(path, top) if parts.scheme == "file" else _joined(host, path)


def _joined(host: str, path: str) -> str | None:
    steps = [step for step in path.split("/") if step not in {"", "."}]
    if not steps or not host or ".." in steps or "@" in host + path:  # "@": a piece of what was to be left out
        return None
    steps[-1] = steps[-1].removesuffix(".git") or steps[-1]
    return "/".join((host.lower().rstrip("."), *steps))


def _folder(path: str, top: Path) -> Path | None:
    if not path or "\0" in path:
        return None
    named = (top / path).resolve()
    named = named.parent if named.name == ".git" else named
    return named.with_name(named.name.removesuffix(".git") or named.name)
