"""The project that a folder belongs to, and the namespace of its memories.

Clones of one repository share it, wherever they lie; unrelated folders never do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from memory_mcp.context.git_remote import place_of, repository_of
from memory_mcp.domain.names import nfc
from memory_mcp.domain.principal import AUTO, Reach, local_user

if TYPE_CHECKING:
    from memory_mcp.domain.models import Finding
    from memory_mcp.domain.principal import Principal

SHARED: Final = "default"
"""The namespace that belongs to no project: searches of every project's read it too."""
MAX_NAME: Final = 100
"""Characters of a project's name; a longer one is cut, and its digest tells it from others."""


@dataclass(frozen=True, slots=True)
class Project:
    """A project's namespace, and what it was taken from."""

    namespace: str
    source: str

    @property
    def reach(self) -> Reach:
        """What its memories' user reaches: searches read the shared namespace too."""
        return Reach(self.namespace, joined=None if self.namespace == SHARED else SHARED)

    def guessed(self) -> Reach:
        """Return the reach while another project may be meant: nothing gets into the shared namespace by mistake."""
        return replace(self.reach, is_guess=self.namespace == SHARED)

    def finding(self, doubt: str = "", fix: str = "") -> Finding:
        """Return the project as a part of the program's health; `doubt` says why it may be the wrong one."""
        from memory_mcp.domain.models import Condition, Finding  # noqa: PLC0415 - 20 ms, which a hook does not have

        condition = Condition.DEGRADED if doubt else Condition.OK
        detail = f"namespace {self.namespace!r}, from {self.source}"
        return Finding(condition, "guessed" if doubt else "known", f"{doubt}; {detail}" if doubt else "", fix, detail)


def project_of(folder: Path, home: Path) -> Project:
    """Return the project of a folder: its git remote, else the repository's folder, else the folder itself.

    The home folder and the root are no projects, and a repository in either is not that of the folders below.
    """
    folder, home = folder.resolve(), home.resolve()
    if folder in {home, Path(folder.anchor)}:
        return Project(SHARED, f"{folder} belongs to no project")
    found = repository_of(folder, home)
    if found is None:
        return Project(_of_folder(folder), f"the folder {folder}")
    place = found.remote and place_of(found.remote, found.top)
    if isinstance(place, str):
        return Project(_within(nfc(place)), f"the git remote of {found.top}")
    return Project(_of_folder(place or found.top), f"the git repository in {found.top}")


def _of_folder(folder: Path) -> str:
    return f"folder:{_within(nfc(folder.name))}-{_digest(str(folder))}"


def _within(name: str) -> str:
    """Return a name that is printable and not too long; a digest stands for what it loses."""
    shown = "".join(letter if letter.isprintable() else "?" for letter in name)[:MAX_NAME]
    return shown if shown == name else f"{shown}-{_digest(name)}"


def _digest(text: str) -> str:
    import hashlib  # noqa: PLC0415 - 2 ms, which a hook does not need for most projects

    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]


def here(folders: Iterable[Path] = ()) -> Project:
    """Return the project of the first of these folders that is on this machine, else of the working directory."""
    ways: list[Callable[[], Path | None]] = [partial(_is_folder, folder) for folder in folders]
    for find in (*ways, Path.cwd):
        with suppress(OSError, ValueError, RuntimeError):  # it may not be entered, is no path, or nobody has a home
            if folder := find():
                return project_of(folder, Path.home())
    return Project(SHARED, "no project: the working directory cannot be read")


def _is_folder(folder: Path) -> Path | None:
    return folder if folder.is_dir() else None


def reach_of(namespace: str) -> Reach:
    """Return what the setting `namespace` reaches; `auto` is the working directory's project."""
    return here().reach if namespace == AUTO else Reach(namespace)


def caller(namespace: str) -> Principal:
    """Return the local user of the setting `namespace`."""
    return local_user(reach_of(namespace))
