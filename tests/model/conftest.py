"""The real daemon, real weights and sentence-transformers beside it; run in the daemon's interpreter."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from embedder_api.v1 import contract, embedder_pb2, embedder_pb2_grpc

from embedder_daemon.model import discovery
from memory_common.pins import BUNDLED_MODEL
from tests.model.corpus import real_texts

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

ROOT = Path(__file__).parents[2]
START_S = 120.0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark everything in this folder, so that the light interpreter leaves it out."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.model)


class Daemon:
    """The daemon's process and one channel to it."""

    def __init__(self, folder: Path, cache_home: Path, engine: str, precision: str, **settings: str) -> None:
        self.engine, self.precision = engine, precision
        self.address = f"unix:{folder / 'e.sock'}"
        self.log = folder / "log"
        environment = {name: value for name, value in os.environ.items() if not name.startswith("EMBEDDER_")}
        environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(ROOT / "protos"), os.environ.get("PYTHONPATH", "")])
        environment |= {"XDG_CONFIG_HOME": str(folder), "XDG_CACHE_HOME": str(cache_home)} | settings
        command = [sys.executable, "-m", "embedder_daemon", "--address", self.address, "--engine", engine]
        with self.log.open("wb") as stderr:
            self.process = subprocess.Popen([*command, "--precision", precision], env=environment, stderr=stderr)
        self.channel = grpc.insecure_channel(self.address, options=contract.CHANNEL_OPTIONS)
        self.stub = embedder_pb2_grpc.EmbedderStub(self.channel)  # type: ignore[no-untyped-call]  # generated without types

    def ready(self) -> Daemon:
        """Wait until it serves."""
        pause, end = threading.Event(), time.monotonic() + START_S
        while "READY" not in self.log.read_text():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < end, "the daemon was not ready in time"
            pause.wait(0.05)
        return self

    def embed(self, *texts: str, truncate: bool = True, **fields: Any) -> embedder_pb2.EmbedResponse:
        """Call Embed; the other fields have several types."""
        request = embedder_pb2.EmbedRequest(texts=texts, truncate=truncate, **fields)
        answer: embedder_pb2.EmbedResponse = self.stub.Embed(request, timeout=START_S)
        return answer

    def info(self) -> embedder_pb2.InfoResponse:
        """Call Info."""
        answer: embedder_pb2.InfoResponse = self.stub.Info(embedder_pb2.InfoRequest(), timeout=START_S)
        return answer

    def stop(self) -> int:
        """End it and return its exit code."""
        self.channel.close()
        self.process.terminate()
        return self.process.wait(20)


@contextmanager
def running(cache_home: Path, engine: str, precision: str, **settings: str) -> Iterator[Daemon]:
    """Start a daemon, with more variables in its environment; at the end it exits 0 if it lives."""
    folder = Path(tempfile.mkdtemp(prefix="ed-", dir="/tmp"))
    daemon = Daemon(folder, cache_home, engine, precision, **settings)
    yield daemon
    lives = daemon.process.poll() is None
    code = daemon.stop()
    shutil.rmtree(folder, ignore_errors=True)
    assert code == 0 or not lives


def has_bfloat16() -> bool:
    """Whether this processor computes bfloat16 itself; where it is emulated, a test would take minutes."""
    file = Path("/proc/cpuinfo")
    return file.is_file() and bool({"avx512_bf16", "amx_bf16", "bf16"} & set(file.read_text().split()))


@pytest.fixture(scope="session")
def cache_home() -> Iterator[Path]:
    """Make a folder for converted models and measurements, so that the one of this machine's user stays as it is."""
    folder = Path(tempfile.mkdtemp(prefix="ed-cache-", dir="/tmp"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(
    scope="session",
    params=[("torch", "float32"), ("openvino", "float32"), ("openvino", "bfloat16"), ("onnx", "float32")],
    ids="-".join,
)
def daemon(request: pytest.FixtureRequest, cache_home: Path) -> Iterator[Daemon]:
    """Start one daemon for each engine; it serves all tests."""
    engine, precision = request.param
    if precision == "bfloat16" and not has_bfloat16():
        pytest.skip("this processor has no bfloat16")
    if engine == "onnx" and not importlib.util.find_spec("onnxruntime"):
        pytest.skip("onnxruntime is not installed: make setup-tools")
    with running(cache_home, engine, precision) as daemon:
        yield daemon.ready()


@pytest.fixture(scope="session")
def reference() -> SentenceTransformer:
    """Load the same weights in this process."""
    library = pytest.importorskip("sentence_transformers")
    loaded: SentenceTransformer = library.SentenceTransformer(
        str(discovery.find(BUNDLED_MODEL).folder), device="cpu", local_files_only=True
    )
    return loaded


@pytest.fixture(scope="session")
def texts() -> list[str]:
    """Return 200 texts of all lengths."""
    return real_texts(ROOT.parent / "shared" / "data", 200)
