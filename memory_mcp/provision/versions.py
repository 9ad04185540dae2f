"""Where environments lie: `<place>-1`, `<place>-2`, …, and the link `<place>` to the one that is in use.

A virtual environment cannot be moved, because its programs name its path. So each is built where it stays, and only the
link is replaced, in one step.
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
    """One virtual environment of ours; its stamp says how far it is, and marks the folder as ours from the start."""

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
        """Where pip puts things; raises ProvisionError where there is no such folder."""
        found = next(self.folder.glob("lib/python3*/site-packages"), None)
        if found is None:
            raise ProvisionError(f"{self.folder} is no virtual environment; delete it and run this again")
        return found

    @property
    def is_ours(self) -> bool:
        """Whether we made the folder."""
        return (self.folder / STAMP).is_file()

    def stamp(self) -> dict[str, str]:
        """Return how far it is; nothing when its interpreter is gone, as after `brew upgrade`."""
        return _read(self.folder / STAMP) if self.python.exists() else {}

    def write_stamp(self, stamp: Mapping[str, str]) -> None:
        """Say how far it is."""
        _write(self.folder / STAMP, stamp)

    def choices(self) -> dict[str, str]:
        """Return the daemon's settings that were chosen with `daemon install`, as environment variables."""
        return _read(self.folder / CHOICES)

    def write_choices(self, choices: Mapping[str, str]) -> None:
        """Record what was chosen."""
        _write(self.folder / CHOICES, choices)


@dataclass(frozen=True)
class Versions:
    """The environments of one place."""

    place: Path

    def current(self) -> Environment | None:
        """Return the one in use; one of an earlier version of ours stands at the place itself."""
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
        """Return the one that was broken off while it was built from the same things."""
        return next((found for found in self._ours() if found.stamp().get("building") == key), None)

    def abandoned(self) -> list[Environment]:
        """Return those that were broken off; asked for when none of them fits any more."""
        current = self.current()
        return [found for found in self._ours() if found != current and found not in self.finished()]

    def fresh(self) -> Environment:
        """Return the next one, which is not there yet.

        Raises:
            ProvisionError: something else stands at the place.
        """
        self.require_ours()
        numbers = [number for number, _ in self._numbered()]
        return Environment(self.place.with_name(f"{self.place.name}-{max(numbers, default=0) + 1}"))

    def require_ours(self) -> None:
        """Raise ProvisionError when what stands at the place is not ours to replace."""
        if self.current() is not None or not self.place.exists():
            return
        if self.place.is_symlink() or not self.place.is_dir() or any(self.place.iterdir()):
            raise ProvisionError(
                f"{self.place} was not built by memory-mcp: delete it by hand, or name another folder with --venv"
            )

    def use(self, environment: Environment) -> None:
        """Put the link to a finished one in the place of the former one, in one step, and keep that one."""
        self.require_ours()
        before = self.current()
        if self.place.is_dir() and not self.place.is_symlink():
            shutil.rmtree(self.place)  # a folder gives way to no link; its programs would not work elsewhere
        link = self.place.with_name(f".{self.place.name}.new")
        link.unlink(missing_ok=True)
        link.symlink_to(environment.folder.name)
        link.replace(self.place)
        keep = {environment, before}
        for old in self._ours():
            if old not in keep:
                shutil.rmtree(old.folder)

    def remove(self) -> bool:
        """Delete the link and all environments of ours; say whether there were any.

        Raises:
            ProvisionError: something else stands at the place, which is left alone, or something is built there now.
        """
        if not self.require_removable():
            return False
        with self.locked():  # the lock's file stays: another process may wait with it open
            found = self.all()
            if self.place.is_symlink():
                self.place.unlink()
            for environment in found:
                shutil.rmtree(environment.folder, ignore_errors=True)
            self.log.unlink(missing_ok=True)
        return True

    def require_removable(self) -> bool:
        """Say whether there is anything to remove; raises ProvisionError where `remove` would."""
        self.require_ours()
        if not self.all():
            return False
        with self.locked():
            return True

    def all(self) -> list[Environment]:
        """Return every one of ours, finished or not."""
        return list(dict.fromkeys(found for found in (self.current(), *self._ours()) if found))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Let one process at a time build here; raises ProvisionError when another does, or nobody can."""
        try:
            self.place.parent.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self._lock, inherited=True)  # by a pip that outlives us and installs here
        except OSError as error:
            raise ProvisionError(
                f"{self._lock} cannot be written ({error.strerror}): fix its folder, or name another with --venv"
            ) from error
        try:
            if not lock.take():
                raise ProvisionError(f"another `daemon install` builds {self.place} now: wait until it is done")
            yield
        finally:
            lock.release()

    @property
    def log(self) -> Path:
        """All that pip and the other programs of the latest build wrote."""
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
