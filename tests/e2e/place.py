"""A daemon and a store of their own for `memory-mcp doctor`, and what it says of them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import apsw

from memory_mcp import settings
from memory_mcp.app import opened
from memory_mcp.domain.models import Stored
from memory_mcp.storage.sqlite.db.file import vec0_path
from tests.contracts.shelf import new
from tests.daemon.daemonkit import Process
from tests.e2e.conftest import FRONT

CONTENT = "the zebra in the wardrobe"
"""Stands in every memory of the store."""
PATIENCE_S = "2"
"""More than the usual second, for machines that do much else."""
ENDED_S = 60.0


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What doctor said."""

    code: int
    status: str
    checks: dict[str, dict[str, str]]

    @property
    def bad(self) -> dict[str, str]:
        """The fixes of what is not well, by the check's name."""
        ill = {name: check for name, check in self.checks.items() if check["condition"] in {"degraded", "failed"}}
        return {name: check["fix"] or check["cause"] for name, check in ill.items()}

    def condition(self, name: str) -> str:
        """One check's."""
        return self.checks[name]["condition"]


class Place:
    """A folder with a daemon that serves and a store that it filled, and the environment to meet both."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = folder / "data" / "memory.db"
        self.socket = folder / "run" / "e.sock"
        self.venv = folder / "env"
        measuring = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}
        self.environment = measuring | {
            "HOME": str(folder),
            "PATH": "/usr/bin:/bin",
            "MCP_MEMORY_SQLITE_PATH": str(self.store),
            "MCP_MEMORY_EMBEDDER_ADDRESS": f"unix:{self.socket}",
        }

    def make(self) -> None:
        """Fill it."""
        self.start()
        self.backup = asyncio.run(self._fill())
        self._sound = self.store.read_bytes()

    def start(self) -> None:
        """Start the daemon and wait until it serves."""
        self.daemon = Process(self.folder, "--engine", "hash", address=f"unix:{self.socket}", HOME=str(self.folder))
        self.daemon.ready()

    async def _fill(self) -> Path:
        config = settings.load(sqlite_path=self.store, embedder_address=f"unix:{self.socket}")
        async with opened(config) as services:
            for number in range(20):
                stored = await services.memories.store(new(f"{CONTENT}, number {number}"))
                assert isinstance(stored, Stored)
                assert stored.embedded
            return await services.backups.take()

    def fix(self) -> None:
        """Put everything back as it was."""
        for path in self.store.parent.glob("memory.db*"):
            path.unlink()
        self.store.write_bytes(self._sound)
        self.store.chmod(0o600)
        shutil.rmtree(self.venv, ignore_errors=True)

    def run(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run doctor to its end."""
        command = [str(FRONT), "doctor", "--seconds", PATIENCE_S, "--venv", str(self.venv), *arguments]
        return subprocess.run(
            command, env=self.environment | more, capture_output=True, text=True, check=False, timeout=ENDED_S
        )

    def diagnose(self, **more: str) -> Diagnosis:
        """Run doctor and read what it says, which never holds what is remembered."""
        done = self.run("--json", **more)
        assert CONTENT not in done.stdout + done.stderr
        assert done.stderr == ""
        return Diagnosis(done.returncode, **json.loads(done.stdout))

    @contextlib.contextmanager
    def open(self) -> Iterator[apsw.Connection]:
        """Open the store behind everybody's back."""
        with contextlib.closing(apsw.Connection(str(self.store))) as db:
            db.enable_load_extension(True)  # noqa: FBT003 - apsw's own signature
            db.load_extension(vec0_path())
            yield db
