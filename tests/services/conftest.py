"""Real servers of other programs, from `.venv-services` (`make test-services`)."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from tests.services.servers import PROGRAMS, answers, free_port, running
from tests.services.valkey import Valkey


@pytest.fixture
def valkey() -> Iterator[Valkey]:
    """Run a server of the test's own: it is there in 20 ms."""
    made = Valkey()
    try:
        made.start()
        yield made
    finally:
        made.close()


@dataclass(frozen=True, slots=True)
class Chroma:
    """A server of Chroma's, and its folder."""

    url: str
    folder: Path

    def fill(self, name: str, texts: list[str], vectors: list[list[float]]) -> None:
        """Make a collection of texts."""
        place = f"{self.url}/api/v2/tenants/default_tenant/databases/default_database/collections"
        made = httpx2.post(place, json={"name": name}).raise_for_status().json()
        rows = {
            "ids": [f"{name}-{number}" for number in range(len(texts))],
            "documents": texts,
            "embeddings": vectors,
            "metadatas": [{"title": f"Text {number}", "created_at": 1_777_777_777} for number in range(len(texts))],
        }
        httpx2.post(f"{place}/{made['id']}/add", json=rows).raise_for_status()


@pytest.fixture(scope="session")
def chroma() -> Iterator[Chroma]:
    """Run a server of Chroma's."""
    folder, port = Path(tempfile.mkdtemp(prefix="chroma-", dir="/tmp")), free_port()
    command = [str(PROGRAMS / "bin" / "chroma"), "run", "--path", str(folder), "--port", str(port)]
    try:
        with running(command, lambda: answers(port)):
            yield Chroma(f"http://127.0.0.1:{port}", folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
