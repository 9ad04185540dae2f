"""Dumps of the whole database by PostgreSQL's own tools, if there are any that are new enough."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from memory_mcp import environment
from memory_mcp.domain.errors import StoreError
from memory_mcp.domain.urls import without_password
from memory_mcp.storage.disk import new_file
from memory_mcp.storage.postgres.db.session import SCHEMA

SUFFIX: Final = ".dump"
LONGEST_S: Final = 6 * 3_600.0
"""After so long a tool that hangs is stopped."""
_DEBIAN: Final = Path("/usr/lib/postgresql")
"""Holds a folder for each version."""
_VERSION: Final = re.compile(r"\(PostgreSQL\) (\d+)")
_REACH: Final = "-c memory_mcp.reaches_all=on"
"""For the wall between namespaces, which holds for whoever dumps too."""


@dataclass(frozen=True)
class Dumps:
    """The tools for one database."""

    url: str

    def tool(self, server: int) -> Path | None:
        """Return a `pg_dump` that is as new as the server's major version; None if there is none."""
        found = [(version, path) for version, path in self._tools if version >= server]
        return min(found)[1] if found else None

    def lacks(self, server: int) -> str:
        """Return why `tool` finds none."""
        newest = max((version for version, _ in self._tools), default=None)
        if newest is None:
            return "there is no pg_dump on this machine"
        return f"pg_dump {newest} is older than the server ({server})"

    @cached_property
    def _tools(self) -> list[tuple[int, Path]]:
        on_path = shutil.which("pg_dump")
        paths = [*([Path(on_path)] if on_path else []), *sorted(_DEBIAN.glob("*/bin/pg_dump"))]
        return [(version, path) for path in paths if (version := _version_of(path)) is not None]

    def write(self, target: Path, tool: Path) -> None:
        """Write a dump to a new file, and read it again to its end.

        Raises:
            StoreError: the database cannot be read, or the file cannot be written; there is no file then.
        """
        with new_file(target) as file:
            self._run(tool, file.fileno())
        if wrong := verify(target, tool):
            target.unlink()
            raise StoreError(f"the dump of {without_password(self.url)} is not whole ({wrong[0]}); run it again")

    def _run(self, tool: Path, output: int) -> None:
        parameters = {name: str(value) for name, value in conninfo_to_dict(self.url).items() if value is not None}
        password = parameters.pop("password", "")
        place = make_conninfo(**parameters)  # a command line is everybody's to read
        command = [str(tool), "--format=custom", f"--schema={SCHEMA}", "--enable-row-security"]
        told = environment.of_tool(PGOPTIONS=_REACH, **({"PGPASSWORD": password} if password else {}))
        done = subprocess.run(  # noqa: S603 - no shell, and a tool of the system's
            [*command, "--no-password", f"--dbname={place}"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.PIPE,
            env=told,
            timeout=LONGEST_S,
            check=False,
        )
        if done.returncode:
            raise StoreError(f"pg_dump failed: {_last_line(done.stderr)}; run memory-mcp doctor")


def verify(dump: Path, tool: Path) -> list[str]:
    """Return one sentence if a dump cannot be read to its end."""
    done = subprocess.run(  # noqa: S603 - likewise
        [str(tool.with_name("pg_restore")), f"--file={os.devnull}", str(dump)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=environment.of_tool(),
        timeout=LONGEST_S,
        check=False,
    )
    return [_last_line(done.stderr)] if done.returncode else []


def restoring(url: str, dump: Path) -> str:
    """Return what brings a dump back."""
    return (
        f"a dump replaces the store of everybody who uses {without_password(url)}, so PostgreSQL's own tool reads it; "
        f"stop all clients, then run: pg_restore --clean --if-exists --no-owner --dbname={without_password(url)} {dump}"
    )


def _version_of(tool: Path) -> int | None:
    try:
        asked = subprocess.run(  # noqa: S603 - likewise
            [str(tool), "--version"], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    told = _VERSION.search(asked.stdout)
    return int(told[1]) if told and tool.with_name("pg_restore").exists() else None


def _last_line(output: bytes) -> str:
    lines = output.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"
