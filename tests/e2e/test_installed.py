"""The wheel in a bare environment, on a fresh machine and without a network, does the main job."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from memory_mcp.provision.pip import OURS, Pip
from memory_mcp.provision.process import SystemRunner
from tests.e2e.client import RawClient

ROOT = Path(__file__).parents[2]
HOME = "Jörg's höme with späces " * 4
"""96 characters, more than a socket's path can hold with what follows."""
MEMORY = "The spare key of the boat house hangs behind the clock"
NO_ROUTE = ("unshare", "--map-root-user", "--net", "--")
NOBODY = "192.0.2.1"  # reserved for documentation (RFC 5737)


def pip(*arguments: str) -> None:
    """Run the tests' own pip, or skip with its last line: it may need an index, for the build backend."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"pip {arguments[0]} cannot be done here: {(done.stderr.strip().splitlines() or ['?'])[-1]}")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the distribution."""
    folder = tmp_path_factory.mktemp("wheel")
    pip("wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(ROOT))
    (built,) = folder.glob("memory_mcp-*.whl")
    return built


@pytest.fixture(scope="module")
def programs(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install it into an environment of its own; its dependencies are read from the tests' environment."""
    venv = tmp_path_factory.mktemp("installed") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    pip("--python", str(venv / "bin" / "python"), "install", "--quiet", "--no-deps", "--no-index", str(wheel))
    site = next(venv.glob("lib/python3*/site-packages"))
    (site / "packages.pth").write_text(f"{sysconfig.get_path('purelib')}\n", encoding="utf-8")
    where = "import memory_mcp, embedder_daemon; print(memory_mcp.__file__, embedder_daemon.__file__)"
    found = subprocess.check_output([venv / "bin" / "python", "-I", "-c", where], text=True).split()
    assert all(Path(file).is_relative_to(venv) for file in found)
    return venv / "bin"


@pytest.fixture
def machine() -> Iterator[Path]:
    """Make a machine's folder: nothing in it."""
    with tempfile.TemporaryDirectory(prefix="mm", dir="/tmp") as folder:
        yield Path(folder)


@asynccontextmanager
async def daemon(
    programs: Path, environment: dict[str, str], folder: Path, *before: str, engine: str = "hash"
) -> AsyncIterator[None]:
    """Let the daemon run at its default address."""
    process = await asyncio.create_subprocess_exec(
        *before,
        str(programs / "embedder-daemon"),
        env=environment | {"EMBEDDER_ENGINE": engine},
        cwd=folder,
        stderr=subprocess.PIPE,
    )
    assert process.stderr is not None
    try:
        async with asyncio.timeout(60):
            lines = []
            while b"READY" not in (line := await process.stderr.readline()):
                lines.append(line)
                assert line, b"".join(lines).decode()
        yield
    finally:
        process.terminate()
        await process.communicate()
    assert process.returncode == 0


async def main_job(programs: Path, home: Path, folder: Path, *before: str) -> None:
    """Store with vectors and find by meaning, in a read-only working directory, with nothing but a HOME."""
    home.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=0o500)
    environment = {"HOME": str(home), "PATH": "/usr/bin:/bin"}
    async with daemon(programs, environment, folder, *before):
        client = RawClient([*before, str(programs / "memory-mcp"), "serve"], environment, folder=folder)
        await client.initialize()
        assert (await client.tool("memory_store", content=MEMORY))["embedded"] is True
        found = await client.tool("memory_search", query="Where is the spare key of the boat?", mode="semantic")
        assert (found["degraded"], found["mode"]) == (False, "semantic")
        assert [hit["content"] for hit in found["results"]] == [MEMORY]
        assert (await client.tool("memory_health"))["status"] == "ok"
        assert await client.end() == 0
    assert list(folder.iterdir()) == []
    forget_short_address(programs, environment)


def forget_short_address(programs: Path, environment: dict[str, str]) -> None:
    """Remove what lies outside of the machine's folder because its name is too long."""
    ask = "from embedder_api.v1.address import default_address; print(default_address())"
    found = subprocess.check_output([programs / "python", "-I", "-c", ask], env=environment, text=True).strip()
    folder = Path(found.removeprefix("unix:")).parent
    if not folder.is_relative_to(environment["HOME"]):
        assert folder.parent.name == "tmp"
        shutil.rmtree(folder)


@pytest.mark.parametrize("name", ["home", HOME])
async def test_a_fresh_machine(programs: Path, machine: Path, name: str) -> None:
    """An empty HOME, also one with a long name, spaces and umlauts: both programs meet at the default address."""
    await main_job(programs, machine / name, machine / "work")


async def test_without_a_network(programs: Path, machine: Path) -> None:
    """In a network namespace without a route nothing is missed."""
    try:
        reach = f"import socket; socket.create_connection(('{NOBODY}', 80), 5)"
        done = subprocess.run([*NO_ROUTE, sys.executable, "-c", reach], capture_output=True, text=True, check=False)
    except OSError as error:
        pytest.skip(f"there is no unshare here: {error}")
    if "Network is unreachable" not in done.stderr:
        pytest.skip(f"this system lets nobody make a network namespace: {done.stderr.strip().splitlines()[-1:]}")
    await main_job(programs, machine / "home", machine / "work", *NO_ROUTE)


def test_what_the_wheel_brings_for_the_daemon(programs: Path, machine: Path) -> None:
    """`daemon install` of the wheel finds pins, hashes and templates: it comes as far as the interpreter."""
    command = [str(programs / "memory-mcp"), "daemon", "install", "--no-service", "--python", "/bin/false"]
    done = subprocess.run(command, env={"HOME": str(machine)}, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "/bin/false" in done.stderr
    site = next(programs.parent.glob("lib/python3*/site-packages"))
    for name in (
        "embedder_daemon/requirements.txt",
        "embedder_daemon/requirements.lock",
        "embedder_daemon/onnx.lock",
        "memory_mcp/provision/com.memory-mcp.embedder.plist",
        "memory_mcp/provision/memory-mcp-embedder.service",
    ):
        assert (site / name).is_file()


@pytest.mark.slow
async def test_a_bare_environment_with_its_own_dependencies(wheel: Path, machine: Path) -> None:
    """`pip install` of the wheel and nothing else, as pipx and uv do it, brings everything that the front needs."""
    venv = machine / "venv"
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    pip("--python", str(venv / "bin" / "python"), "install", "--quiet", str(wheel))
    await main_job(venv / "bin", machine / "home", machine / "work")
    heavy = "import importlib.util as u; print([n for n in ('torch', 'transformers', 'openvino') if u.find_spec(n)])"
    assert subprocess.check_output([venv / "bin" / "python", "-c", heavy], text=True, env=os.environ) == "[]\n"


HARMFUL = {
    **dict.fromkeys(("PIP_USER", "PIP_DRY_RUN", "PIP_REQUIRE_HASHES", "PIP_NO_DEPS", "PIP_REQUIRE_VIRTUALENV"), "1"),
    **dict.fromkeys(
        ("PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_CONSTRAINT", "PIP_PYTHON", "PIP_LOG"), "{home}/wrong"
    ),
    "PIP_NO_BINARY": ":all:",
    "PYTHONOPTIMIZE": "2",
    "PYTHONUSERBASE": "{home}/wrong",
    "PYTHONPATH": "{home}/traps",
    "PYTHONWARNINGS": "error",
    "PYTHONINSPECT": "1",
    "PYTHONSTARTUP": "{home}/traps/venv.py",
}
ALSO_TO_THE_DAEMON = {"PYTHONPATH": "{home}", "PYTHONHOME": "{home}", "PYTHONEXECUTABLE": "/bin/false"}
"""A front does not start under these: its Python finds a random.py, or no library."""
IN_THE_WAY = {
    "": ("random", "secrets", "calendar", "venv"),
    "traps": ("venv", "pip", "ensurepip", "torch", "transformers"),
}
"""Modules in the home, and in the folder that PYTHONPATH names; the front itself imports none of the latter."""


@pytest.mark.slow
async def test_daemon_install_on_a_hostile_machine(programs: Path, machine: Path) -> None:
    """With real PyTorch, in an empty home of an odd name with a random.py, whatever is set for pip and Python."""
    home = machine / "a $HOME `id` 100% & more"
    (home / "traps").mkdir(parents=True)
    for folder, names in IN_THE_WAY.items():
        for name in names:
            spring = f"open({str(home / 'sprung')!r}, 'a').write(__name__)\nraise SystemExit\n"
            (home / folder / f"{name}.py").write_text(spring)
    sources = Pip(Path(sys.executable), SystemRunner(), machine / "log")._variables.items() - OURS.items()
    environment = {"HOME": str(home), "PATH": "/usr/bin:/bin", **dict(sources)}
    harm = {name: value.format(home=home) for name, value in HARMFUL.items()}
    install = [str(programs / "memory-mcp"), "daemon", "install", "--no-service"]
    done = subprocess.run(install, env=environment | harm, cwd=home, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) < 16
    assert [line for line in done.stdout.splitlines() if line.startswith("it serves: all-MiniLM-L6-v2, ")]
    assert not (home / "wrong").exists()
    place = home / ".local" / "share" / "memory-mcp" / "daemon"
    harm |= {name: value.format(home=home) for name, value in ALSO_TO_THE_DAEMON.items()}
    async with daemon(place / "bin", environment | harm, home, engine="auto"):
        client = RawClient([str(programs / "memory-mcp"), "serve"], environment, folder=home)
        await client.initialize()
        assert (await client.tool("memory_store", content=MEMORY))["embedded"] is True
        assert await client.end() == 0
    assert not (home / "sprung").exists()
    forget_short_address(programs, environment)
