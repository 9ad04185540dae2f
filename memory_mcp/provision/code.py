"""Our own code in the daemon's environment: a copy that is replaced atomically, or a link to the checkout."""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

from memory_common import whole_file, whole_folder
from memory_mcp.provision import source
from memory_mcp.provision.versions import Environment

NAMES: Final = ("embedder_daemon", "memory_common", "embedder_api")
PTH: Final = "memory-mcp-code.pth"
"""Its one line is the folder of the copy in use, relative to the file's own folder."""

# The path is quoted, because a folder's name may contain anything. Variables that the user set for other Pythons must
# not reach this one: `-I` ignores all but the two that are unset here. The shell reports a missing interpreter, because
# no Python is left to do so.
_LAUNCHER: Final = """#!/bin/sh
python={python}
test -x "$python" || {{ echo "memory-mcp: the daemon's interpreter $python is gone, as after brew upgrade: \
run memory-mcp daemon install" >&2; exit 1; }}
unset PYTHONEXECUTABLE __PYVENV_LAUNCHER__
exec "$python" -I -m embedder_daemon "$@"
"""


def key() -> str:
    """Return a key that changes when the daemon's code has to be installed again."""
    root = source.checkout()
    if root:  # linked, so changes need no installation
        return str(root)
    digest = hashlib.sha256(_LAUNCHER.encode())
    for name in NAMES:
        package = source.package(name)
        for file in sorted(package.rglob("*")):
            if file.is_file() and file.suffix != ".pyc":
                digest.update(f"{name}/{file.relative_to(package)}".encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def title() -> str:
    """Return the title of the step that `install` is."""
    root = source.checkout()
    return f"linking the daemon's code to the checkout {root}" if root else "copying the daemon's code"


def install(environment: Environment, pip: Callable[..., None]) -> None:
    """Put this installation's code into the environment; a running daemon keeps its own copy.

    Raises:
        ProvisionError: pip failed.
    """
    root = source.checkout()
    if root:
        pip("--no-deps", "--editable", str(root))
    else:
        _use(environment, _copy(environment))
    launcher = _LAUNCHER.format(python=shlex.quote(str(environment.python)))
    whole_file.write(environment.program, launcher.encode(), mode=0o755)


def in_use(environment: Environment) -> str:
    """Return the argument of `put_back`; empty if the code is linked or not installed yet."""
    file = environment.site_packages / PTH
    return file.read_text(encoding="utf-8") if file.is_file() else ""


def put_back(environment: Environment, before: str) -> None:
    """Use the earlier copy again."""
    if before:
        whole_file.write(environment.site_packages / PTH, before.encode(), mode=0o644)


def _copy(environment: Environment) -> Path:
    """Copy to a folder that is named by what is in it."""
    folder = environment.folder / f"code-{key()[:16]}"
    with whole_folder.replacing(folder, mode=0o777) as draft:
        for name in NAMES:
            shutil.copytree(source.package(name), draft / name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def _use(environment: Environment, folder: Path) -> None:
    """Point to a copy; the previous one stays for a daemon that still runs from it."""
    before = Path(in_use(environment).strip()).name
    # Relative, so that no unusual character of the place's name has to survive in the file.
    line = f"{os.path.relpath(folder, environment.site_packages)}\n"
    whole_file.write(environment.site_packages / PTH, line.encode(), mode=0o644)
    for old in environment.folder.glob("code-*"):
        if old.name not in {folder.name, before}:
            shutil.rmtree(old)
