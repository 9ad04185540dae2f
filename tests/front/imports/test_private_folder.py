"""The sandbox's second profile: a process that may open files in one folder, and do nothing else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import os, sys
from pathlib import Path
import apsw, socket, ctypes
from memory_mcp.documents.sandbox import child
from memory_mcp.imports.boxed import LIMITS, confines

folder, outside = map(Path, sys.argv[1:3])
if not confines(child.box(LIMITS, os.getppid(), folder)):
    print("no box here")
    sys.exit()
exec(sys.argv[3])
print("done")
"""
INSIDE = """
db = apsw.Connection(str(folder / "own.db"))
for statement in ("PRAGMA journal_mode = wal", "CREATE TABLE t(x)", "INSERT INTO t VALUES (1)"):
    list(db.execute(statement))
assert db.execute("SELECT x FROM t").fetchone() == (1,)
db.close()
(folder / "file").write_text("text")
assert sorted(os.listdir(folder)) == ["file", "own.db"]
(folder / "file").unlink()
(folder / "deep" / "below").mkdir(parents=True)
(folder / "deep" / "below" / "file").write_text("text")
assert [path.name for path in folder.glob("**/file")] == ["file"]
"""
ATTEMPTS = {
    "read": "(outside / 'secret').read_text()",
    "read_through_a_link": "(folder / 'link').read_text()",
    "read_by_the_way_up": "(folder / '..' / outside.name / 'secret').read_text()",
    "list": "os.listdir(outside)",
    "write": "(outside / 'new').write_text('text')",
    "make_folder": "(outside / 'folder').mkdir()",
    "remove": "(outside / 'secret').unlink()",
    "link": "os.symlink(outside / 'secret', folder / 'another')",
    "move_out": "os.rename(folder / 'file', outside / 'file')",
    "read_processes": "Path('/proc/self/environ').read_bytes()",
    "connect": "socket.socket()",
    "run": "os.posix_spawn('/bin/true', ['true'], {})",
    "fork": "os.fork()",
    "signal": "os.kill(os.getppid(), 0)",
    "attach": "apsw.Connection(str(folder / 'own.db')).execute('ATTACH ? AS o', (str(outside / 'its.db'),))",
}


def run(folder: Path, outside: Path, what: str) -> str:
    """Do something in the box; return the last line that is said."""
    ended = subprocess.run(
        [sys.executable, "-I", "-c", PROGRAM, str(folder), str(outside), what],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={},  # nothing that measures coverage: it could not write its file
    )
    said = (ended.stdout + ended.stderr).strip().splitlines()[-1]
    if said == "no box here":
        pytest.skip("this system cannot confine a process to a folder")
    return said


@pytest.fixture
def places(tmp_path: Path) -> tuple[Path, Path]:
    """Make a private folder, and one beside it with a secret."""
    folder, outside = tmp_path / "private", tmp_path / "outside"
    folder.mkdir()
    outside.mkdir()
    (outside / "secret").write_text("secret")
    (folder / "link").symlink_to(outside / "secret")
    return folder, outside


def test_a_database_can_be_read_and_written_inside(tmp_path: Path) -> None:
    """With its log, and its files removed at the end."""
    folder = tmp_path / "private"
    folder.mkdir()
    assert run(folder, tmp_path, INSIDE) == "done"


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_nothing_else_can_be_reached(places: tuple[Path, Path], attempt: str) -> None:
    """Neither other files, whatever the way, nor the network, nor another program."""
    folder, outside = places
    assert run(folder, outside, ATTEMPTS[attempt]).startswith(("PermissionError", "apsw.CantOpenError"))
    assert [path.name for path in outside.iterdir()] == ["secret"]
