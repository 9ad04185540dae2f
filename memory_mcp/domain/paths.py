"""Paths in settings: the same file whatever the working folder, or refused."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_VARIABLE: Final = re.compile(r"\$\{(?P<braced>[^}]*)\}|\$(?P<bare>[A-Za-z_]\w*)|%(?P<percent>[A-Za-z_]\w*)%")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_ACCEPTED: Final = "give an absolute path, such as /home/me/x or ~/x"


def absolute(given: str, variables: Mapping[str, str]) -> Path:
    """Return an absolute path with `~` and variables (`$X`, `${X}`, `%X%`) expanded.

    Clients start servers without a shell that would expand them, and in any working folder.

    Raises:
        ValueError: an unknown variable or user, or the path is not absolute or cannot be a file's.
    """
    expanded = _user(_VARIABLE.sub(lambda match: _value(given, match, variables), given))
    if problem := _problem(given, expanded):
        raise ValueError(f"{given!r} {problem}; {_ACCEPTED}")
    return Path(expanded)


def followed(path: Path) -> Path:
    """Return a symbolic link's target, even if it does not exist yet; return other paths unchanged.

    SQLite keeps its side files beside the link's target, and replacing a file by a rename would replace the link.
    """
    return Path(os.path.realpath(path)) if path.is_symlink() else path


def _value(given: str, match: re.Match[str], variables: Mapping[str, str]) -> str:
    name = next(name for name in match.groups() if name is not None)
    if not (value := variables.get(name)):
        raise ValueError(f"{given!r} uses the variable {name!r}, which is not set; {_ACCEPTED}")
    return value


def _user(path: str) -> str:
    """Expand `~` and `~user`; another user's home must exist."""
    user, slash, rest = path.partition("/")
    if not user.startswith("~"):
        return path
    with contextlib.suppress(RuntimeError):
        home = Path(user).expanduser()
        if user == "~" or home.is_dir():
            return f"{home}{slash}{rest}"
    raise ValueError(f"{path!r} names a user who has no home folder here; {_ACCEPTED}")


def _problem(given: str, expanded: str) -> str:
    """Return what is wrong with a path, or an empty string."""
    problems = {
        "is empty": not given,
        "begins or ends with a space": given != given.strip(),
        "contains a control character": _CONTROL.search(expanded),
        "is not a file, so nothing stored there would be kept": given.startswith(":memory:"),
        "is a URI, not a path": given.startswith("file:"),
        "is relative, so each working folder would have its own": not expanded.startswith("/"),
        "contains a backslash, which does not separate folders here": "\\" in expanded,
    }
    return next((problem for problem, is_one in problems.items() if is_one), "")
