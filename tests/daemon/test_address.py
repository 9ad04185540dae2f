"""The default address: one for both programs, and short enough for a socket wherever the home is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from embedder_api.v1 import address
from embedder_api.v1.address import MAX_PATH_BYTES, default_address, socket_path

LONG = "/Users/" + "long name with ümläuts " * 4
"""99 characters, 107 bytes."""


@pytest.mark.parametrize("home", ["/home/u", LONG, "/h/" + "日本" * 60])
def test_it_fits_and_is_the_homes_own(home: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the home is called, the path fits, and another home has another one."""
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setenv("HOME", home)
    path = socket_path(default_address())
    assert len(bytes(path)) <= MAX_PATH_BYTES
    assert path.is_relative_to(home) is not (len(home) > 50)
    monkeypatch.setenv("HOME", home + "x")
    assert default_address() != f"unix:{path}"


def test_a_short_path_is_the_users_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """It carries the user's number, and stays the same in every process."""
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setenv("HOME", LONG)
    assert f"/memory-mcp-{os.getuid()}-" in default_address()
    code = "from embedder_api.v1.address import default_address as d; print(d())"
    root = Path(address.__file__).parents[2]
    done = subprocess.check_output([sys.executable, "-c", code], cwd=root, text=True)
    assert done == f"{default_address()}\n"
