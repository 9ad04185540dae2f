"""The benchmark of a GPU runs, on the CPU where there is none."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
TINY = ("--bulk", "8", "--phase-s", "0.2", "--precision", "float32", "--precision", "float16", "--json")


def test_the_benchmark_of_a_gpu_measures_everything_in_a_tiny_form() -> None:
    """It says what it ran on, what holds, and why a precision is not measured; its exit code says that all holds."""
    command = [sys.executable, "-m", "benchmarks.cuda", *TINY]
    quiet = os.environ | {"OMP_WAIT_POLICY": "PASSIVE"}  # torch's threads would spin beside other tests
    done = subprocess.run(command, cwd=ROOT, env=quiet, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    figures = {figure["what"]: figure for figure in told["figures"] if figure["precision"] == "float32"}
    assert sum(figure["holds"] is True for figure in figures.values()) == 6
    assert figures["passes without room until the scheduler's batches fit"]["value"] >= 1
    for what in ("bulk through the daemon", "one short text, p50", "a question beside bulk, p99"):
        assert figures[what]["value"] > 0
        assert figures[what]["base"] > 0
    if told["device"] == "cpu":
        assert told["machine"].startswith("THIS MACHINE HAS NO CUDA")
        (half,) = (figure for figure in told["figures"] if figure["precision"] == "float16")
        assert "not on cpu" in half["against"]
