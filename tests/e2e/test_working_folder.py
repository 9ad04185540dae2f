"""The front in working folders as they are: full of modules, deleted, and nobody's to read."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.daemon.daemonkit import set_traps
from tests.e2e.client import RawClient
from tests.e2e.conftest import FRONT

TRAPS = ("random", "secrets", "calendar", "venv", "json", "asyncio", "typing", "mcp", "pydantic", "apsw")
IN_A_GONE_ONE = ("sh", "-c", 'mkdir "$0/gone" && cd "$0/gone" && rmdir "$0/gone" && exec "$@"')


@pytest.fixture
def traps(folder: Path) -> Path:
    """Make a folder of modules that nobody may import."""
    return set_traps(folder / "my files", TRAPS)


@pytest.mark.parametrize("program", [[str(FRONT)], [sys.executable, "-m", "memory_mcp"]], ids=["script", "-m"])
async def test_modules_in_it_are_not_ours(program: list[str], traps: Path, environment: dict[str, str]) -> None:
    """A session stores and finds in a folder with a random.py, and imports nothing from there."""
    client = RawClient([*program, "serve"], environment, folder=traps)
    await client.initialize()
    await client.tool("memory_store", content="the key hangs behind the clock")
    assert (await client.tool("memory_search", query="key"))["results"]
    assert await client.end() == 0
    done = subprocess.run(
        [*program, "doctor", "--json"], cwd=traps, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode in {0, 3}, done.stderr
    assert sorted(path.name for path in traps.iterdir()) == sorted(f"{name}.py" for name in TRAPS)


@pytest.mark.parametrize("program", [[str(FRONT)], [sys.executable, "-m", "memory_mcp"]], ids=["script", "-m"])
async def test_one_that_is_gone(program: list[str], folder: Path, environment: dict[str, str]) -> None:
    """A session works all the same; a relative path cannot be had, and that is said."""
    command = [*IN_A_GONE_ONE, str(folder), *program]
    client = RawClient([*command, "serve"], environment)
    await client.initialize()
    await client.tool("memory_store", content="the key hangs behind the clock")
    assert await client.end() == 0
    for arguments in (["backup", "copy.db"], ["restore", "copy.db"], ["daemon", "status", "--venv", "x"]):
        done = subprocess.run([*command, *arguments], env=environment, capture_output=True, text=True, check=False)
        assert done.returncode in {1, 2}
        assert "no longer exists" in done.stderr or "does not exist" in done.stderr, done.stderr
    done = subprocess.run([*command, "daemon", "status"], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (3, "")


def test_one_that_is_private(folder: Path, environment: dict[str, str]) -> None:
    """Nobody may enter the folder that we stand in; a hub's name for the model is looked for other_store."""
    private = folder / "private"
    script = 'mkdir "$0" && cd "$0" && chmod 000 . && exec "$@"'
    command = ["sh", "-c", script, str(private)]
    if os.getuid() == 0:  # root may enter every folder, unless it gives that up
        command += ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"]
        if shutil.which("setpriv") is None:
            pytest.skip("there is no setpriv, and root may enter every folder")
    for arguments, code in ((["store", "a key"], 3), (["daemon", "status"], 3), (["config"], 0)):
        done = subprocess.run(
            [*command, str(FRONT), *arguments], env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == code, done.stderr
        private.rmdir()
    daemon = [str(FRONT.with_name("embedder-daemon")), "--model", "owner/name", "--engine", "torch"]
    address = ["--address", f"unix:{folder}/d.sock"]
    done = subprocess.run([*command, *daemon, *address], env=environment, capture_output=True, text=True, check=False)
    assert "Permission denied" not in done.stderr
    assert done.returncode in {12, 14}
