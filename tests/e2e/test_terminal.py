"""What a person sees: the commands on a real terminal."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import termios
from collections.abc import Callable
from pathlib import Path

import pytest

from memory_mcp import cli
from tests.e2e.conftest import FRONT
from tests.fakes.peers import MemoryService

Look = Callable[..., tuple[int, str]]


@pytest.fixture
def look(environment: dict[str, str], folder: Path) -> Look:
    """Run commands on a terminal of 100 columns and 20 lines, with keys that were pressed before."""
    pager = folder / "pager"
    pager.write_text("#!/bin/sh\necho A PAGER\ncat\n")
    pager.chmod(0o700)

    def run(*arguments: str, keys: str = "") -> tuple[int, str]:
        master, slave = os.openpty()
        termios.tcsetwinsize(slave, (20, 100))
        more = {"TERM": "xterm", "PAGER": str(pager)}
        with subprocess.Popen(
            [FRONT, *arguments], env=environment | more, stdin=slave, stdout=slave, stderr=slave
        ) as it:
            os.close(slave)
            os.write(master, keys.encode())
            seen = b""
            with contextlib.suppress(OSError):  # Linux's way to say that the other side has gone
                while piece := os.read(master, 65_536):
                    seen += piece
        os.close(master)
        return it.returncode, seen.decode().replace("\r\n", "\n")

    return run


def test_a_terminal_gets_a_table_with_human_dates(look: Look) -> None:
    """And a memory cannot speak to it."""
    look("store", "red \x1b[31m apples [bold]now[/bold]", "--id", "a", "--tag", "fruit")
    look("store", "apples of last year", "--id", "b", "--created-at", "2020-01-01")
    code, seen = look("search", "apples")
    assert code == cli.DEGRADED
    assert "\x1b[1m" in seen  # the heads of the columns
    text = re.sub(r"\x1b\[\d*m", "", seen)
    assert re.search(r"^id +created +content +tags +score *$", text, re.MULTILINE)
    assert re.search(r"^a +just now +red \ufffd\[31m apples \[bold\]now\[/bold\] +fruit ", text, re.MULTILINE)
    assert re.search(r"^b +\d+ years ago +apples of last year", text, re.MULTILINE)
    assert "\x1b[31m" not in seen
    assert "red \ufffd[31m apples" in look("get", "a")[1]


def test_a_terminal_gets_a_second_table_that_explains(look: Look) -> None:
    """Its rows have the numbers of the first one's."""
    look("store", "red apples", "--id", "a")
    seen = re.sub(r"\x1b\[\d*m", "", look("search", "apples", "--explain")[1])
    assert re.search(r"^id +created +content +tags +score +# *$", seen, re.MULTILINE)
    assert re.search(r"^a +just now +red apples +0\.\d\d +1 *$", seen, re.MULTILINE)
    assert re.search(r"^# +cosine +context +semantic +own +near +keyword +fused +more +age *$", seen, re.MULTILINE)
    assert re.search(r"^1 +- +- +- +0\.\d\d +0\.00 +0\.\d\d #1 +0\.\d\d #1 +- +- *$", seen, re.MULTILINE)
    assert re.search(r"^Query: topic; ranked by keyword$", seen, re.MULTILINE)
    assert re.search(r"^Terms: appl 1$", seen, re.MULTILINE)
    assert re.search(r"^Fit 0\.\d\d = best keyword 0\.\d\d; weak below 0\.43$", seen, re.MULTILINE)


def test_a_long_list_goes_through_the_pager(look: Look) -> None:
    """And a short one does not."""
    for number in range(3):
        look("store", f"memory {number}\n" * 8)
    assert "A PAGER" not in look("list", "--limit", "1")[1]
    code, seen = look("list")
    assert (code, "A PAGER" in seen, seen.count("memory 1")) == (0, True, 8)


def test_filters_delete_what_a_person_agrees_to(look: Look) -> None:
    """Asked with the count, unless `--yes` was said; an id is not asked for."""
    for memory_id in ("a", "b"):
        look("store", memory_id * 3, "--id", memory_id, "--tag", "x")
    code, seen = look("delete", "--tag", "x", keys="n\n")
    assert (code, "Delete 2 memories? [y/N]" in seen, "nothing was deleted" in seen) == (cli.FAILED, True, True)
    code, seen = look("delete", "b")
    assert (code, "Delete 1" in seen) == (0, False)
    code, seen = look("delete", "--tag", "x", keys="y\n")
    assert (code, "Deleted 1 memory: a" in seen) == (0, True)
    look("undelete", "a")
    code, seen = look("delete", "--tag", "x", "--yes")
    assert (code, "?" in seen, "Deleted 1 memory: a" in seen) == (0, False, True)


def test_long_work_counts_on_a_terminal(look: Look, folder: Path) -> None:
    """`import` and `export` say how far they are."""
    header, end = '{"memory_mcp_export": 1}', '{"memory_mcp_export_end": %d}'
    look("store", "apples", "--id", "a")
    file = folder / "memories.jsonl"
    look("export", str(file))
    line = file.read_text().splitlines()[1]
    many = [line.replace('"a"', f'"a{n}"', 1).replace("apples", f"apples {n}") for n in range(100)]
    file.write_text("\n".join([header, *many, end % 100]))
    assert "\r64 memories\r100 memories" in look("import", str(file))[1]
    assert "\r64 memories" in look("export", str(folder / "again.jsonl"))[1]


def test_another_systems_file_cannot_speak_to_the_terminal(look: Look, folder: Path) -> None:
    """Nor begin a line of the plan."""
    service = MemoryService(folder / "peer.db")
    service.add("\x1b]0;owned\x07\nlost: nothing", "")
    service.close()
    code, seen = look("import", "--from", "mcp-memory-service", str(folder / "peer.db"), "--dry-run")
    assert code == 0
    assert "\x1b" not in seen
    assert re.search("^skipped: \ufffd]0;owned\ufffd lost: nothing: ", seen, re.MULTILINE)
