"""The box on macOS: the reader process and its children run under `sandbox-exec`. No Mac has run this yet.

Unlike on Linux the box is closed when the program starts, because `sandbox-exec` starts programs. So it lets the reader
process import: a document's child can read Python's own files and the system's libraries, and start Python in the same
box, but it reaches neither the user's files nor the network, and writes nothing. `RLIMIT_AS` is not enforced there:
`reader_process` looks at its children's memory instead.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

PROGRAM: Final = Path("/usr/bin/sandbox-exec")
_PROFILE: Final = """(version 1)
(deny default)
(allow process-fork)
(allow process-exec {folders})
(allow signal (target same-sandbox))
(allow sysctl-read)
(allow file-read-metadata)
(allow file-read* (literal "/dev/null") (literal "/dev/urandom") (subpath "/usr/lib") (subpath "/usr/share/zoneinfo")
  (subpath "/System/Library") (subpath "/private/var/db/timezone") (literal "/private/etc/localtime") {folders})
(allow file-write-data (literal "/dev/null"))
"""
_PRIVATE: Final = "(allow file-read* file-write* (subpath {folder}))\n"


def command(folders: list[Path], private: Path | None = None) -> list[str]:
    """Return what to put before a Python's command line; nothing where there is no `sandbox-exec`."""
    if not PROGRAM.exists():
        return []
    return [str(PROGRAM), "-p", profile([*_interpreter(), *folders], private)]


def profile(folders: list[Path], private: Path | None = None) -> str:
    """Return the profile for a Python that lies and reads in these folders, and writes in a private one alone."""
    named = " ".join(f"(subpath {_quoted(folder)})" for folder in dict.fromkeys(map(_resolved, folders)))
    return _PROFILE.format(folders=named) + (_PRIVATE.format(folder=_quoted(_resolved(private))) if private else "")


def is_closed() -> bool:
    """Whether this process runs in a box: it asks for a file that everybody may read outside."""
    try:
        os.close(os.open("/private/etc/passwd", os.O_RDONLY))
    except PermissionError:
        return True
    return False


def _interpreter() -> list[Path]:
    """Return the folders of Python and of everything that it imports."""
    return [Path(place) for place in (sys.prefix, sys.base_prefix, *sys.path) if place and Path(place).is_dir()]


def _resolved(path: Path) -> Path:
    return Path(os.path.realpath(path))


def _quoted(path: Path) -> str:
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
