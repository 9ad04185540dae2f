"""Walks a folder: what will be read, and what is left out with the reason."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePath
from typing import Final, Protocol

from pathspec import GitIgnoreSpec

from memory_mcp.documents.beneath import open_beneath, open_real
from memory_mcp.documents.opening import outside, places, refused_for
from memory_mcp.documents.secret_names import FOLDERS, is_secret_file
from memory_mcp.logger import Logger

MAX_DEPTH: Final = 64
"""Folders below each other."""
MAX_ENTRIES: Final = 200_000
IGNORE_FILES: Final = (".gitignore", ".memoryignore")
"""In each folder; the latter decides where both speak, and a deeper one over a higher."""
EDITORS_COPIES: Final = ("*~", ".*.sw?", ".#*", "#*#", "~$*", "4913")
"""Names of backups, of locks and of what is being written."""
_MAX_IGNORE_BYTES: Final = 64 * 1024
_MAX_IGNORE_LINES: Final = 1_000
_MAX_PATTERN: Final = 500
_MAX_STARS: Final = 4
"""In a pattern, and one less in a part of its path; the parts `*` do not count, and `**` once. With more, an expression
that tries all ways to divide a long name would take seconds, or years."""
_TOO_MANY: Final = "holds too many files; what follows by name is left out: name its folders one by one"
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY

log = Logger(__name__)


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file that may be read; `opening.open_below` opens it, and decides."""

    path: Path
    size: int
    modified_ns: int


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A file or folder that is not read."""

    path: Path
    why: str
    """For a person, such as "may hold secrets" or "ignored by .gitignore"."""


@dataclass(frozen=True, slots=True)
class SeenBelow:
    """What lies at a place below a root; nothing if there is nothing."""

    files: list[FoundFile]
    left_out: list[Path]
    """Files, and folders with all below them."""
    folders: frozenset[Path]
    """Those that were walked."""


class _Listed(Protocol):
    """What is asked of `os.DirEntry`."""

    @property
    def name(self) -> str:
        """Its name in its folder."""
        ...

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:
        """Whether it is a folder."""
        ...

    def stat(self) -> os.stat_result:
        """Follow links."""
        ...


@dataclass(frozen=True, slots=True)
class _Named:
    """An entry of an open folder whose name is known."""

    folder: int
    name: str

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:
        return stat.S_ISDIR(os.stat(self.name, dir_fd=self.folder, follow_symlinks=follow_symlinks).st_mode)

    def stat(self) -> os.stat_result:
        return os.stat(self.name, dir_fd=self.folder)


@dataclass(frozen=True, slots=True)
class _Rules:
    """What one ignore file says of what lies below its folder."""

    depth: int
    """Parts of its folder's path from the root."""
    file: str
    patterns: GitIgnoreSpec


def walk(roots: Sequence[Path], folder: Path, *, max_entries: int = MAX_ENTRIES) -> Iterator[FoundFile | LeftOut]:
    """Yield a folder's files, deep ones included, in the order of their names.

    It follows no links to folders, and honours `.gitignore` and `.memoryignore` from the root downwards. A folder that
    is swapped for a link meanwhile is not entered.

    Args:
        roots: the real paths of folders; one that has become a link is not followed.
        folder: absolute, one of the roots or below one.
        max_entries: files and folders that are looked at.

    Raises:
        RefusedError: OUTSIDE_ROOTS, MISSING (or it is no folder) or NO_ACCESS.
    """
    folder = Path(os.path.normpath(folder))
    for root, relative in places(roots, folder):
        try:
            descriptor, rules = _opened(root, relative.parts)
        except (OSError, ValueError) as error:
            raise refused_for(error, folder.name) from error
        named = folder.parents[len(relative.parts) - 1] if relative.parts else folder  # the root, as it was spelled
        try:
            yield from _Walk(named, max_entries).below(descriptor, relative.parts, rules)
        finally:
            os.close(descriptor)
        return
    raise outside(folder)


def look(root: Path, place: Path) -> SeenBelow:
    """Return what `walk` would yield of a place below a root, be it a file or a folder; it takes time.

    Args:
        root: the real path of a folder, whose ignore files are honoured, and those of the folders down to the place.
        place: the root, or a path below it.

    Raises:
        RefusedError: MISSING, NO_ACCESS or OUTSIDE_ROOTS: the root cannot be opened, or has become a link.
    """
    try:
        descriptor = open_real(root, _FOLDER)
    except OSError as error:
        raise refused_for(error, root.name) from error
    walking = _Walk(root, MAX_ENTRIES)
    try:
        is_there = os.path.lexists(place)
        found = list(walking.below(descriptor, (), (), place.relative_to(root).parts)) if is_there else []
    finally:
        os.close(descriptor)
    return SeenBelow(
        [entry for entry in found if isinstance(entry, FoundFile)],
        [entry.path for entry in found if isinstance(entry, LeftOut)],
        frozenset(walking.folders),
    )


def _opened(root: Path, parts: tuple[str, ...]) -> tuple[int, list[_Rules]]:
    """Open a folder below a root; return it with the rules of the folders above it."""
    rules: list[_Rules] = []
    top = open_real(root, _FOLDER)
    try:
        for depth in range(len(parts)):
            above = open_beneath(top, PurePath(*parts[:depth]), _FOLDER)
            try:
                rules += _rules(above, depth)
            finally:
                os.close(above)
        return open_beneath(top, PurePath(*parts), _FOLDER), rules
    finally:
        os.close(top)


def _rules(folder: int, depth: int) -> Iterator[_Rules]:
    """Yield the rules of a folder's own ignore files; one that is no text says nothing."""
    for name in IGNORE_FILES:
        try:
            descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
        except OSError:  # there is none
            continue
        with os.fdopen(descriptor, "rb") as file:
            if stat.S_ISREG(os.fstat(descriptor).st_mode):
                yield _Rules(depth, name, GitIgnoreSpec.from_lines(_patterns(name, file.read(_MAX_IGNORE_BYTES + 1))))


def _patterns(name: str, content: bytes) -> list[str]:
    """Return the lines of an ignore file that are honoured."""
    whole = content if len(content) <= _MAX_IGNORE_BYTES else content[:_MAX_IGNORE_BYTES].rpartition(b"\n")[0]
    lines = whole.decode("utf-8", "replace").splitlines()
    honoured = [line for line in lines[:_MAX_IGNORE_LINES] if line.startswith("#") or _is_quick(line)]
    if len(honoured) < len(lines) or whole is not content:
        log.warning("patterns of an ignore file are not honoured: there are too many, or too many stars", file=name)
    return honoured


def _is_quick(pattern: str) -> bool:
    """Whether it is decided quickly that a name matches, whatever the name."""
    stars = [1 if part == "**" else part.count("*") for part in pattern.split("/") if part != "*"]
    return len(pattern) <= _MAX_PATTERN and max(stars, default=0) < _MAX_STARS and sum(stars) <= _MAX_STARS


class _Walk:
    """One walk below a root."""

    def __init__(self, root: Path, max_entries: int) -> None:
        self._root = root
        self._left = max_entries
        self.folders: list[Path] = []
        """Those that were walked."""

    def below(
        self, folder: int, parts: tuple[str, ...], rules: Sequence[_Rules], towards: tuple[str, ...] = ()
    ) -> Iterator[FoundFile | LeftOut]:
        """Walk an open folder, whose path has these parts from the root; only what lies `towards`, if anything."""
        rules = [*rules, *_rules(folder, len(parts))]
        if towards:
            yield from self._one(folder, (*parts, towards[0]), _Named(folder, towards[0]), rules, towards[1:])
            return
        self.folders.append(self._root.joinpath(*parts))
        with os.scandir(folder) as entries:
            ordered = sorted(entries, key=lambda entry: entry.name)
        for entry in ordered:
            if not self._left:
                yield LeftOut(self._root.joinpath(*parts), _TOO_MANY)
                return
            self._left -= 1
            yield from self._one(folder, (*parts, entry.name), entry, rules)

    def _one(
        self,
        folder: int,
        parts: tuple[str, ...],
        entry: _Listed,
        rules: Sequence[_Rules],
        towards: tuple[str, ...] = (),
    ) -> Iterator[FoundFile | LeftOut]:
        path = self._root.joinpath(*parts)
        try:
            if why := _why_left_out(parts, entry, rules):
                yield LeftOut(path, why)
            elif entry.is_dir(follow_symlinks=False):
                child = os.open(entry.name, _FOLDER | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
                try:
                    yield from self.below(child, parts, rules, towards)
                finally:
                    os.close(child)
            elif not towards:
                found = entry.stat()
                yield FoundFile(path, found.st_size, found.st_mtime_ns)
        except OSError as error:  # gone, swapped or unreadable: the others are read all the same
            yield LeftOut(path, f"cannot be opened ({error.strerror})")


def _why_left_out(parts: tuple[str, ...], entry: _Listed, rules: Sequence[_Rules]) -> str:
    """Return why a file or folder is left out by what is known before it is opened; empty if it is not."""
    is_folder = entry.is_dir(follow_symlinks=False)
    if entry.name.casefold() in FOLDERS or (not is_folder and is_secret_file(entry.name)):
        return "may hold secrets, by its name"
    if not is_folder and any(fnmatchcase(entry.name, pattern) for pattern in EDITORS_COPIES):
        return "is an editor's copy, by its name"
    if ignored_by := _ignored_by(parts, rules, is_folder=is_folder):
        return f"ignored by {ignored_by}"
    if is_folder:
        return f"lies more than {MAX_DEPTH} folders deep" if len(parts) > MAX_DEPTH else ""
    mode = entry.stat().st_mode
    if stat.S_ISDIR(mode):
        return "is a link to a folder"
    return "" if stat.S_ISREG(mode) else "is a device, pipe or socket, not a file"


def _ignored_by(parts: tuple[str, ...], rules: Sequence[_Rules], *, is_folder: bool) -> str:
    """Return the name of the ignore file that leaves a path out; the last that speaks of it decides."""
    for each in reversed(rules):
        path = "/".join(parts[each.depth :]) + "/" * is_folder
        if (decided := each.patterns.check_file(path).include) is not None:
            return each.file if decided else ""
    return ""
