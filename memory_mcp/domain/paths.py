"""What a path in a setting means: the same file from whatever folder a program is started, or it is refused."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_VARIABLE: Final = re.compile(r"\$\{(?P<braced>[^}]*)\}|\$(?P<bare>[A-Za-z_]\w*)|%(?P<percent>[A-Za-z_]\w*)%")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_ACCEPTED: Final = "give an absolute path, such as /home/me/x or ~/x"


def absolute(given: str, variables: Mapping[str, str]) -> Path:
    """Return the absolute path that a text names, once `~` and variables (`$X`, `${X}`, `%X%`) are replaced.

    Clients start servers without a shell that would do so, and in a folder of their own choice.

    Raises:
        ValueError: there is no such variable or user, or the path is not absolute or cannot be that of a file.
    """
    if not given or given != given.strip() or _CONTROL.search(given):
        raise ValueError(f"{given!r} is empty, begins or ends with a blank, or holds a control character; {_ACCEPTED}")
    expanded = _user(_VARIABLE.sub(lambda match: _value(given, match, variables), given))
    if not expanded.startswith("/"):
        raise ValueError(f"{given!r} {_problem(given)}; {_ACCEPTED}")
    return Path(expanded)


def _value(given: str, match: re.Match[str], variables: Mapping[str, str]) -> str:
    name = next(name for name in match.groups() if name is not None)
    if not (value := variables.get(name)):
        raise ValueError(f"{given!r} needs the variable {name!r}, which is not set; {_ACCEPTED}")
    return value


def _user(path: str) -> str:
    if not path.startswith("~"):
        return path
    try:
        return str(Path(path).expanduser())
    except RuntimeError as error:
        raise ValueError(f"{path!r} begins with a user whose home is not known; {_ACCEPTED}") from error


def _problem(given: str) -> str:
    if given.startswith(":memory:"):
        return "names no file, and what is stored there would be lost"
    if given.startswith("file:"):
        return "is a URI, not a path"
    return "is relative, so that each working folder would have its own"
