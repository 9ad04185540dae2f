"""The folders of environments: `<place>-1`, `<place>-2`, …, and the link `<place>` to the one in use.

A virtual environment cannot be moved, because its programs contain its path. So each is built where it stays, and only
the link is replaced, atomically.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from memory_common import whole_file
from memory_common.file_lock import FileLock
from memory_mcp.provision.errors import ProvisionError

STAMP: Final = "memory-mcp.json"
CHOICES: Final = "service.json"


@dataclass(frozen=True)
class Environment:
    """One of our virtual environments; its stamp marks the folder as ours and records the progress of the build."""

    folder: Path

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin" / "python"

    @property
    def program(self) -> Path:
        """The daemon's program."""
        return self.folder / "bin" / "embedder-daemon"

    @property
    def site_packages(self) -> Path:
        """The folder that pip installs into; raises ProvisionError if there is none."""
        found = next(self.folder.glob("lib/python3*/site-packages"), None)
        if found is None:
            raise ProvisionError(f"{self.folder} is not a virtual environment; delete it and run this again")
        return found

    @property
    def is_ours(self) -> bool:
        """Whether we made the folder."""
        return (self.folder / STAMP).is_file()

    def stamp(self) -> dict[str, str]:
        """Return the recorded progress; empty if the interpreter is gone, as after `brew upgrade`."""
        return _read(self.folder / STAMP) if self.python.exists() else {}

    def write_stamp(self, stamp: Mapping[str, str]) -> None:
        """Record the progress."""
        _write(self.folder / STAMP, stamp)

    def choices(self) -> dict[str, str]:
        """Return the daemon's settings chosen with `daemon install`, as environment variables."""
        return _read(self.folder / CHOICES)

    def write_choices(self, choices: Mapping[str, str]) -> None:
        """Record the chosen settings."""
        _write(self.folder / CHOICES, choices)


@dataclass(frozen=True)
class Versions:
    """The environments of one place."""

    place: Path

    def current(self) -> Environment | None:
        """Return the one in use; earlier versions of memory-mcp put it at the place itself."""
        folder = self.place.parent / self.place.readlink() if self.place.is_symlink() else self.place
        found = Environment(folder)
        return found if found.is_ours else None

    def finished(self) -> list[Environment]:
        """Return the finished ones, oldest first."""
        return [found for found in self._ours() if "environment" in _read(found.folder / STAMP)]

    def previous(self) -> Environment | None:
        """Return the one that `daemon install --rollback` goes back to."""
        current = self.current()
        others = [found for found in self.finished() if found != current and found.python.exists()]
        return others[-1] if others else None

    def unfinished(self, key: str) -> Environment | None:
        """Return an unfinished one that was being built from the same inputs."""
        return next((found for found in self._ours() if found.stamp().get("building") == key), None)

    def abandoned(self) -> list[Environment]:
        """Return all unfinished ones, to be removed once none of them fits."""
        current = self.current()
        return [found for found in self._ours() if found != current and found not in self.finished()]

    def fresh(self) -> Environment:
        """Return the next one, which does not exist yet.

        Raises:
            ProvisionError: something else is at the place.
        """
        self.require_ours()
        numbers = [number for number, _ in self._numbered()]
        return Environment(self.place.with_name(f"{self.place.name}-{max(numbers, default=0) + 1}"))

    def require_ours(self) -> None:
        """Raise ProvisionError if something that we did not build is at the place."""
        if self.current() is not None or not self.place.exists():
            return
        if self.place.is_symlink() or not self.place.is_dir() or any(self.place.iterdir()):
            raise ProvisionError(
                f"{self.place} was not built by memory-mcp; delete it yourself, or choose another folder with --venv"
            )

    def use(self, environment: Environment) -> None:
        """Point the link at a finished environment, atomically, and keep the previous one."""
        self.require_ours()
        before = self.current()
        if self.place.is_dir() and not self.place.is_symlink():
            shutil.rmtree(self.place)  # a link cannot replace a folder, whose programs would not work elsewhere
        link = self.place.with_name(f".{self.place.name}.new")
        link.unlink(missing_ok=True)
        link.symlink_to(environment.folder.name)
        link.replace(self.place)
        keep = {environment, before}
        for old in self._ours():
            if old not in keep:
                shutil.rmtree(old.folder)

    def remove(self) -> bool:
        """Delete the link and all our environments; return whether there were any.

        Raises:
            ProvisionError: something else is at the place and is left alone, or a build is running there.
        """
        if not self.require_removable():
            return False
        with self.locked():  # the lock file stays, because another process may have it open and be waiting
            found = self.all()
            if self.place.is_symlink():
                self.place.unlink()
            for environment in found:
                shutil.rmtree(environment.folder, ignore_errors=True)
            self.log.unlink(missing_ok=True)
        return True

    def require_removable(self) -> bool:
        """Return whether there is anything to remove; raises ProvisionError if `remove` would."""
        self.require_ours()
        if not self.all():
            return False
        with self.locked():
            return True

    def all(self) -> list[Environment]:
        """Return all our environments, finished or not."""
        return list(dict.fromkeys(found for found in (self.current(), *self._ours()) if found))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Let one process at a time build here; raises ProvisionError if another one is building, or the lock fails."""
        try:
            self.place.parent.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self._lock, inherited=True)  # by a pip that outlives us and is still installing
        except OSError as error:
            raise ProvisionError(
                f"{self._lock} cannot be written ({error.strerror}); fix its folder, or choose another with --venv"
            ) from error
        try:
            if not lock.take():
                raise ProvisionError(f"another `daemon install` is building {self.place}; wait until it is done")
            yield
        finally:
            lock.release()

    @property
    def log(self) -> Path:
        """The output of pip and the other programs of the latest build."""
        return self.place.with_name(f"{self.place.name}-install.log")

    @property
    def _lock(self) -> Path:
        return self.place.with_name(f"{self.place.name}.lock")

    def _ours(self) -> list[Environment]:
        return [found for _, path in sorted(self._numbered()) if (found := Environment(path)).is_ours]

    def _numbered(self) -> list[tuple[int, Path]]:
        names = self.place.parent.glob(f"{_literal(self.place.name)}-*") if self.place.parent.is_dir() else ()
        tails = [(path.name.removeprefix(f"{self.place.name}-"), path) for path in names]
        return [(int(tail), path) for tail, path in tails if tail.isdecimal()]


def _literal(name: str) -> str:
    """Return a pattern that matches the name and nothing else."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)


def _read(file: Path) -> dict[str, str]:
    with suppress(OSError, ValueError):
        found = json.loads(file.read_text(encoding="utf-8"))
        return {str(key): str(value) for key, value in dict(found).items()}
    return {}


def _write(file: Path, content: Mapping[str, str]) -> None:
    whole_file.write(file, json.dumps(dict(content)).encode(), mode=0o644)
