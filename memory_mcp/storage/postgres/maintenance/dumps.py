"""Dumps of the whole database by PostgreSQL's own tools, if there are any that are new enough."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
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
_HEAD: Final = re.compile(rb"COPY \S+?\.(\w+) \((.*)\) FROM stdin;\n")
"""Of a table's rows, in what `pg_restore` writes."""
_VECTORS: Final = re.compile(r"vectors_(\d+)(?:_\d+)?")
"""A table of the vectors of a space, or a part of one."""


@dataclass(frozen=True)
class Dumps:
    """The tools for one database."""

    url: str

    def tool(self, server: int) -> Path | None:
        """Return a `pg_dump` that is as new as the server's major version; None if there is none, or it would tell."""
        if "sslpassword" in conninfo_to_dict(self.url):  # only its command line could pass that on
            return None
        found = [(version, path) for version, path in self._tools if version >= server]
        return min(found)[1] if found else None

    def lacks(self, server: int) -> str:
        """Return why `tool` finds none."""
        if "sslpassword" in conninfo_to_dict(self.url):
            return "pg_dump takes the URL's sslpassword on its command line alone, which everybody can read"
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
            raise StoreError(
                f"the dump of {without_password(self.url)} is not whole ({wrong[0]}); if a pooler stands in between, "
                "name the server itself in MCP_MEMORY_POSTGRES_DIRECT_URL, else run it again"
            )

    def _run(self, tool: Path, output: int) -> None:
        parameters = {name: str(value) for name, value in conninfo_to_dict(self.url).items() if value is not None}
        password = parameters.pop("password", "")
        parameters["options"] = f"{parameters.get('options', '')} {_REACH}"  # which win over those of the environment
        place = make_conninfo(**parameters)  # a command line is everybody's to read
        command = [str(tool), "--format=custom", f"--schema={SCHEMA}", "--enable-row-security"]
        told = environment.of_tool(**({"PGPASSWORD": password} if password else {}))
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
    """Return one sentence if a dump cannot be read to its end, or lacks rows that it counts itself."""
    command = [str(tool.with_name("pg_restore")), "--data-only", "--file=-", str(dump)]
    with (
        tempfile.TemporaryFile() as told,
        subprocess.Popen(  # noqa: S603 - likewise
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=told, env=environment.of_tool()
        ) as reading,
        _ended_after(reading, LONGEST_S),
    ):
        assert reading.stdout is not None  # noqa: S101 - a pipe
        rows = _Rows()
        for line in reading.stdout:
            rows.take(line)
        failed = reading.wait()
        told.seek(0)
        return [_last_line(told.read())] if failed else rows.missing()


@contextmanager
def _ended_after(process: subprocess.Popen[bytes], seconds: float) -> Iterator[None]:
    """Stop a process that hangs."""
    timer = threading.Timer(seconds, process.kill)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


class _Rows:
    """The rows of a dump, counted, and what it says itself about how many there are."""

    def __init__(self) -> None:
        self._found: Counter[str] = Counter()
        self._expected: Counter[str] = Counter()
        self._table = ""
        self._columns: list[str] = []

    def take(self, line: bytes) -> None:
        """Look at the next line of what `pg_restore` writes."""
        if self._table:
            self._take_row(line)
        elif head := _HEAD.fullmatch(line):
            self._table = head[1].decode()
            self._columns = head[2].decode().split(", ")

    def _take_row(self, line: bytes) -> None:
        if line == b"\\.\n":
            self._table = ""
        elif self._table in {"memories", "partitions", "tallies", "change_log"}:
            self._count(dict(zip(self._columns, line.decode(errors="replace")[:-1].split("\t"), strict=True)))
        else:
            part = _VECTORS.fullmatch(self._table)
            self._found[f"vectors of space {part[1]}" if part else self._table] += 1

    def _count(self, row: dict[str, str]) -> None:
        match self._table:
            case "memories":
                self._found["memories"] += row["deleted_at"] == "\\N"
            case "partitions":
                self._expected["memories"] += int(row["memories"])
            case "tallies" if row["name"].startswith("/"):
                self._expected[f"vectors of space {row['name'][1:]}"] += int(row["memories"])
            case "change_log":  # its newest entry is never pruned
                self._expected["changes"] = min(int(row["seq"]), 1)

    def missing(self) -> list[str]:
        """Return one sentence if there are fewer rows than the dump counts."""
        for name, expected in self._expected.items():
            if self._found[name] < expected:
                return [f"it holds {self._found[name]:,} of {expected:,} {name}"]
        return []


def restoring(url: str, dump: Path) -> str:
    """Return what brings a dump back."""
    return (
        f"a dump replaces the store of everybody who uses {without_password(url)}, so PostgreSQL's own tool reads it; "
        "stop all clients, then run: pg_restore --clean --if-exists --no-owner "
        f"{shlex.quote(f'--dbname={without_password(url)}')} {shlex.quote(str(dump))}"
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
