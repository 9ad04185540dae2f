"""Stores and engines that installed packages add, and names that cannot be had."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from tests.daemon.daemonkit import Process
from tests.e2e.client import RawClient, ToolError
from tests.e2e.conftest import FRONT

EXAMPLES = Path(__file__).parents[1] / "examples"
STORES, ENGINES = "memory_mcp.stores", "embedder_daemon.engines"
BROKEN = "raise RuntimeError('half installed')"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the example packages as a user does, but from this folder and into one of their own."""
    folder = tmp_path_factory.mktemp("examples")
    sources = shutil.copytree(EXAMPLES, folder / "sources")  # building writes beside the sources
    pip = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--no-build-isolation", "--quiet"]
    projects = [str(sources / "store"), str(sources / "engine")]
    subprocess.run([*pip, "--target", str(folder / "site"), *projects], check=True, capture_output=True)
    return folder / "site"


def package(site: Path, name: str, group: str, entry: str, module: str = "") -> Path:
    """Lay a package into a folder as an installer does: what it says of itself, and a module."""
    about = site / f"{name}-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(f"[{group}]\n{entry}\n")
    (site / f"{name}.py").write_text(module)
    return site


@pytest.fixture
def run(environment: dict[str, str]) -> Callable[..., str]:
    """Run the front's command and return its one line on stderr."""

    def run(site: Path, backend: str, code: int = 2) -> str:
        more = {"PYTHONPATH": str(site), "MCP_MEMORY_STORAGE_BACKEND": backend}
        done = subprocess.run(
            [FRONT, "undelete", "x"], env=environment | more, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr.count("\n")) == (code, 1), done.stderr
        return done.stderr

    return run


async def test_packages_add_a_store_and_an_engine(
    site: Path, folder: Path, environment: dict[str, str], start_daemon: Callable[..., Process]
) -> None:
    """The installed front on a package's store and the daemon with another's engine remember, and find by meaning."""
    daemon = start_daemon("letters", python_path=str(site), script=str(FRONT.with_name("embedder-daemon"))).ready()
    assert len(daemon.embed("abba").vectors) == 27 * 4
    more = {"PYTHONPATH": str(site), "MCP_MEMORY_STORAGE_BACKEND": "shelf"}
    parameters = StdioServerParameters(command=str(FRONT), args=["serve"], env=environment | more)
    async with Client(stdio_client(parameters)) as client:
        for content in ("zebra fizz", "all banana and papaya"):
            stored = (await client.call_tool("memory_store", {"content": content})).structured_content
            assert stored is not None
            assert (stored["created"], stored["embedded"]) == (True, True)
        query = {"query": "bananas nap", "mode": "semantic", "limit": 1}
        found = (await client.call_tool("memory_search", query)).structured_content
        assert found is not None
        assert [hit["content"] for hit in found["results"]] == ["all banana and papaya"]
        health = (await client.call_tool("memory_health", {})).structured_content
        assert health is not None
        assert (health["status"], "letters" in health["daemon"]["detail"]) == ("ok", True), health
    assert not (folder / "memory.db").exists()
    assert daemon.stop() == 0


def test_doctor_looks_for_no_file_of_a_packages_store(site: Path, environment: dict[str, str]) -> None:
    """It says where to ask instead."""
    more = {"PYTHONPATH": str(site), "MCP_MEMORY_STORAGE_BACKEND": "shelf"}
    done = subprocess.run([FRONT, "doctor", "--json"], env=environment | more, capture_output=True, check=False)
    checks = json.loads(done.stdout)["checks"]
    for part in ("store", "disk", "fronts"):
        found = checks[part]
        assert (found["condition"], "`memory-mcp status`" in found["detail"]) == ("skipped", True), (part, found)


def test_a_store_that_nobody_provides_is_refused(site: Path, run: Callable[..., str]) -> None:
    """The sentence names the setting and what there is, ours and what packages add."""
    said = run(site, "oracle")
    assert "MCP_MEMORY_STORAGE_BACKEND: unknown name 'oracle'; choose one of: sqlite_vec, postgres, shelf;" in said


def test_names_of_stores_are_taken_once(tmp_path: Path, run: Callable[..., str]) -> None:
    """A package that takes our name, or two that take the same, are named; none of them wins."""
    ours = package(tmp_path / "ours", "greedy", STORES, "sqlite_vec = greedy:make")
    assert "the package greedy uses the built-in name 'sqlite_vec'" in run(ours, "sqlite_vec")
    both = package(tmp_path / "both", "one", STORES, "shelf = one:make")
    package(both, "two", STORES, "shelf = two:make")
    assert "both add 'shelf': uninstall one of them" in run(both, "shelf")


def test_a_package_whose_store_does_not_work_is_named(tmp_path: Path, run: Callable[..., str]) -> None:
    """What cannot be imported, is not a function, or makes something that is no store."""
    for module, said in (
        (BROKEN, "the package bad adds 'bad', which cannot be used (RuntimeError: half installed)"),
        ("make = 1", "(bad:make is not a function)"),
        ("make = lambda settings: object()", "'bad' lacks acquire_lease, activate_space, add, backfill"),
    ):
        broken = package(tmp_path / str(hash(said)), "bad", STORES, "bad = bad:make", module)
        assert said in run(broken, "bad")


async def test_the_handshake_reads_no_package(tmp_path: Path, start: Callable[..., RawClient]) -> None:
    """A package that takes our name keeps nobody from saying hello; the first call says what is wrong."""
    greedy = package(tmp_path, "greedy", STORES, "sqlite_vec = greedy:make")
    client = start(PYTHONPATH=str(greedy))
    assert "result" in await client.initialize()
    with pytest.raises(ToolError, match="the package greedy uses the built-in name 'sqlite_vec'"):
        await client.tool("memory_list")


@pytest.mark.parametrize(
    ("engine", "entry", "code", "said"),
    [
        (
            "magic",
            "letters = add:make",
            2,
            "unknown name 'magic'; choose one of: auto, torch, openvino, onnx, hash, letters",
        ),
        ("hash", "hash = add:make", 14, "the package add uses the built-in name 'hash'"),
        (
            "letters",
            "letters = add:make",
            14,
            "the package add adds 'letters', which cannot be used (RuntimeError: half installed)",
        ),
    ],
)
def test_an_engine_that_cannot_be_had_is_refused(
    tmp_path: Path, start_daemon: Callable[..., Process], engine: str, entry: str, code: int, said: str
) -> None:
    """The daemon ends with one line that names the package, or what there is."""
    site = package(tmp_path, "add", ENGINES, entry, BROKEN)
    process = start_daemon(engine, python_path=str(site))
    assert process.wait() == code
    errors = [line for line in map(json.loads, process.lines()) if line["level"] == "error"]
    assert len(errors) == 1
    assert said in errors[0]["event"]
