"""The README's install lines work as they are typed (`make test-packaging`)."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from embedder_api import __version__

pytestmark = pytest.mark.packaging

ROOT = Path(__file__).parents[2]
CHECKERS = ROOT / ".venv-packaging" / "bin"
README = (ROOT / "README.md").read_text(encoding="utf-8")
DEGRADED = 3


def lines(heading: str) -> list[str]:
    """Return what the first shell block under a heading has one type."""
    block = README.partition(f"\n## {heading}\n")[2].partition("```sh\n")[2].partition("```")[0]
    return [line.partition("  #")[0].strip() for line in block.splitlines()]


def typed(line: str, environment: Mapping[str, str]) -> str:
    """Type a line in a checkout, with the checkers' pipx and uv; return what it says."""
    done = subprocess.run(
        ["/bin/sh", "-c", line], env=dict(environment), cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode and re.search(r"No matching distribution|not resolve host|Failed to fetch", done.stderr):
        pytest.skip(f"`{line}` wants the package index: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def home() -> Iterator[dict[str, str]]:
    """Give pipx, uv and the program a home of their own, short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="mm", dir="/tmp") as folder:
        places = {"PIPX_HOME": "pipx", "PIPX_BIN_DIR": "bin", "UV_TOOL_DIR": "uv", "UV_TOOL_BIN_DIR": "bin"}
        own = {name: f"{folder}/{place}" for name, place in places.items()}
        own |= {
            "HOME": folder,
            "XDG_DATA_HOME": f"{folder}/data",
            "PATH": f"{folder}/bin:{CHECKERS}:{os.environ['PATH']}",
        }
        yield {**os.environ, **own}


@pytest.fixture(scope="session")
def wheel() -> str:
    """Type `make wheel` once; return what it says that it built."""
    build, *_ = lines("Install")
    # Within another make it would say more.
    outside = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return typed(build, outside).split()[-1]


def test_the_front_is_installed_from_the_wheel(wheel: str, home: dict[str, str]) -> None:
    """By the lines as they stand, with pipx: the program is there, and stores without a daemon."""
    _build, install, *daemon = lines("Install")
    assert wheel == f"dist/memory_mcp-{__version__}-py3-none-any.whl"
    typed(install, home)
    program = Path(home["PIPX_BIN_DIR"]) / "memory-mcp"
    done = subprocess.run([program, "store", "kept"], env=home, capture_output=True, text=True, check=False)
    assert done.returncode == DEGRADED, done.stderr
    typed("pipx runpip memory-mcp check", home)
    _encrypt(program, home | {"MCP_MEMORY_ENCRYPTION_KEY_FILE": f"{home['HOME']}/key"})
    for line in daemon:  # what they do is shown by tests/provision and, with real PyTorch, by test_installed.py
        assert subprocess.run([*line.split(), "--help"], env=home, capture_output=True, check=False).returncode == 0


def _encrypt(program: Path, home: Mapping[str, str]) -> None:
    """Encrypt the store with what was installed, and read it."""
    subprocess.run([program, "encrypt", "--yes"], env=home, capture_output=True, check=True)
    listed = subprocess.run([program, "list"], env=home, capture_output=True, text=True, check=True).stdout
    assert "kept" in listed
    store = Path(home["XDG_DATA_HOME"]) / "memory-mcp" / "memory.db"
    assert not store.read_bytes().startswith(b"SQLite format 3")


def pythons() -> Iterator[str]:
    """Yield the interpreters of this machine that the package promises to run on, besides the tests' own."""
    for version in re.findall(r"Python :: (3\.\d+)", (ROOT / "pyproject.toml").read_text(encoding="utf-8")):
        kept = sorted(Path("~/.pyenv/versions").expanduser().glob(f"{version}.*/bin/python"))
        found = next((str(path) for path in kept), None) or shutil.which(f"python{version}")
        if found and not sys.version.startswith(f"{version}."):
            yield found


@pytest.mark.parametrize("python", list(pythons()) or [sys.executable])
def test_the_front_runs_on_every_python_that_is_here(python: str, wheel: str, home: dict[str, str]) -> None:
    """With uv it is installed from the wheel, serves a client's handshake, stores and finds."""
    _build, install, *_ = lines("Install")
    typed(install.replace("pipx install", f"uv tool install --python {python}"), home)
    ask = "import sys; print('%d.%d' % sys.version_info[:2])"
    version = subprocess.check_output([python, "-I", "-c", ask], text=True).strip()
    assert list(Path(home["UV_TOOL_DIR"]).glob(f"memory-mcp/lib/python{version}"))
    program = Path(home["PIPX_BIN_DIR"]) / "memory-mcp"
    said = ""
    for words in (["store", "The key hangs behind the clock"], ["search", "where is the key"]):
        done = subprocess.run([program, *words], env=home, capture_output=True, text=True, check=False)
        assert done.returncode == DEGRADED, done.stderr
        said = done.stdout
    assert "behind the clock" in said
    hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    request = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello})
    served = subprocess.run(
        [program, "serve"], env=home, input=f"{request}\n", capture_output=True, text=True, check=True
    )
    assert json.loads(served.stdout.splitlines()[0])["result"]["serverInfo"]["name"] == "memory-mcp"


@pytest.mark.skipif(
    not (ROOT / ".venv-daemon" / "bin" / "python").exists(), reason="there is no .venv-daemon (make setup)"
)
def test_a_checkout_runs(home: dict[str, str]) -> None:
    """`make run` stores and recalls by meaning with a daemon of its own, which `make stop` ends."""
    run, _test = lines("From a checkout")
    address = {"MCP_MEMORY_EMBEDDER_ADDRESS": f"unix:{home['HOME']}/e.sock"}
    try:
        said = typed(run, home | address)
        assert "recalling by meaning" in said
        assert '"mcpServers"' in said
    finally:
        typed("make stop", home | address)


def test_what_is_not_true_yet_is_marked() -> None:
    """The line for a published package stands once, after the words that say that it fails."""
    published = "pipx install 'memory-mcp[documents]'"
    assert README.count(published) == 1
    paragraph = next(part for part in README.split("\n\n") if published in part)
    assert paragraph.startswith("**Not yet:**")
    assert f"memory_mcp-{__version__}-py3-none-any.whl" in README
