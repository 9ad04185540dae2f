"""On Windows the front ends at once with one line; simulated at the door, where nothing else has been imported yet."""

from __future__ import annotations

import subprocess
import sys

import pytest

DOOR = """
import sys
sys.platform = "win32"
for missing in ("fcntl", "resource", "termios", "pwd", "grp"):
    sys.modules[missing] = None  # what Windows has not got
from memory_mcp.__main__ import main
main()
"""


@pytest.mark.parametrize(
    ("command", "code"), [(["serve"], 1), (["store", "x"], 1), ([], 1), (["hook", "session-start"], 0)]
)
def test_windows_is_told_what_to_do(command: list[str], code: int) -> None:
    """One line on stderr, nothing on stdout, and no waiting for a client that says nothing; a hook stops no session."""
    process = subprocess.Popen(
        [sys.executable, "-I", "-c", DOOR, *command],
        stdin=subprocess.PIPE,  # a client that keeps it open
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.wait(timeout=60) == code
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.read() == ""
        (line,) = process.stderr.read().splitlines()
    assert line.startswith("memory-mcp: Windows is not supported")
    assert "wsl memory-mcp serve" in line
