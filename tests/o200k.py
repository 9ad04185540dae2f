"""Counts tokens as o200k_base has them, with npm's gpt-tokenizer."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

NODE = Path(__file__).parents[1] / ".node"
"""`make test-conformance` installs the package there."""
IS_THERE = (NODE / "node_modules" / "gpt-tokenizer").is_dir()
COUNT = """
const { encode } = require("gpt-tokenizer/encoding/o200k_base");
const options = { disallowedSpecial: new Set() };
const lines = require("readline").createInterface({ input: process.stdin });
lines.on("line", (line) => console.log(JSON.stringify(JSON.parse(line).map((text) => encode(text, options).length))));
"""


class O200k:
    """A process that counts, for the block of a `with`."""

    def __enter__(self) -> Self:
        """Start it."""
        self._process = subprocess.Popen(
            ["node", "-e", COUNT], cwd=NODE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """End it."""
        self._process.communicate()

    def count(self, texts: Sequence[str]) -> list[int]:
        """Return the number of tokens of each text."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(list(texts)) + "\n")
        self._process.stdin.flush()
        counts: list[int] = json.loads(self._process.stdout.readline())
        return counts
