"""Does on a Mac what docs/macos.md lists, line by line; `.github/workflows/ci.yml` runs it on one that is thrown away.

It installs and removes Homebrew's PyTorch and our daemon: not for a Mac that is used. A test compares it with the page.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

SECONDS: Final = 1800.0
JOB: Final = "gui/$UID/com.memory-mcp.embedder"
_STATUS: Final = "memory-mcp daemon status"
_PID: Final = f"{_STATUS} --json | /usr/bin/python3 -I -c 'import json, sys; print(json.load(sys.stdin)[\"process\"])'"
_SERVES: Final = f"for _ in $(seq 60); do {_STATUS} | grep -Eq '^daemon: +(serving|asleep)' && break; sleep 1; done"
_NO_FAILURE: Final = r"passed(?!.* failed)"


@dataclass(frozen=True)
class Step:
    """A row of the page: what is tried, and what the output has to contain."""

    row: str
    script: str
    says: str = ""


STEPS: Final = (
    Step(
        "demanded and absent is an error",
        "! MCP_MEMORY_USE_HOMEBREW_PYTORCH=1 memory-mcp daemon install",
        r"(?s)brew install .*brew install ",
    ),
    Step(
        "torch is reused, none is downloaded",
        "brew install pytorch python@3.14 && memory-mcp daemon install",
        r"reusing torch \S+ from /opt/homebrew/",
    ),
    Step(
        "a plain path line in the `.pth` would miss numpy",
        '~/Library/Application\\ Support/memory-mcp/daemon/bin/python -c "import numpy; print(numpy.__file__)"',
        r"/opt/homebrew/",
    ),
    Step(
        "every key is one of launchd.plist(5), with its type",
        "plutil -lint ~/Library/LaunchAgents/com.memory-mcp.embedder.plist",
        r"OK",
    ),
    Step(
        "it lives in a bare environment, does not fork, and its files are private",
        f'launchctl print {JOB}; echo "asked: pid = $({_PID})"',
        r"(?s)state = running.*pid = (\d+)\n.*asked: pid = \1\n",
    ),
    Step(
        "a crash is restarted",
        f'echo "before $({_PID})"; launchctl kill SIGKILL {JOB}; sleep 12;'
        f' {_SERVES}; {_STATUS}; echo "after $({_PID})"',
        r"(?s)before (\d+)\n.*daemon: +serving.*after (?!\1\n)",
    ),
    Step(
        "restart drains, then starts; a hundred under load",
        "memory-mcp daemon restart && memory-mcp daemon restart",
        r"(?s)it serves at.*it serves at",
    ),
    Step(
        "whether `kickstart` starts at once within ThrottleInterval",
        "time memory-mcp daemon restart",
        r"it serves at",
    ),
    Step(
        "SIGTERM under load answers what runs, and 0 is no crash",
        f"memory-mcp daemon stop; sleep 15; ! {_STATUS}",
        r"(?s)the daemon has stopped.*daemon: +(?!serving)",
    ),
    Step(
        "what ignores SIGTERM is killed after ExitTimeOut",
        f"memory-mcp daemon start; kill -STOP $({_PID}); memory-mcp daemon stop",
        r"the daemon has stopped",
    ),
    Step(
        "a job that was disabled is enabled",
        f"launchctl disable {JOB}; memory-mcp daemon install; launchctl print {JOB}",
        r"state = running",
    ),
    Step(
        "a LaunchAgents folder that is not writable costs no job",
        "chmod -w ~/Library/LaunchAgents; memory-mcp daemon install; chmod +w ~/Library/LaunchAgents;"
        f" {_SERVES}; {_STATUS}",
        r"daemon: +serving",
    ),
    Step("openvino on Apple's processors", _STATUS, r"engine|openvino|torch"),
    Step("a socket's path, 104 bytes with its last zero", _STATUS, r"address: +unix:"),
    Step(
        "MPS",
        "memory-mcp daemon stop; d=~/Library/Application\\ Support/memory-mcp/daemon;"
        ' EMBEDDER_DEVICE=mps EMBEDDER_ENGINE=torch "$d/bin/embedder-daemon" 2>mps.log &'
        f" {_SERVES}; {_STATUS}; kill %1; cat mps.log",
        r"(?s)daemon: +serving.*mps",
    ),
    Step("the reader process starts in its box", "memory-mcp daemon start; memory-mcp doctor || true", r"sandbox-exec"),
    Step(
        "nothing outside is reached",
        ".venv/bin/python -m pytest tests/front/documents/test_sandbox.py",
        _NO_FAILURE,
    ),
    Step(
        "a child that takes too much memory is killed",
        ".venv/bin/python -m pytest tests/front/documents/test_hostile.py",
        _NO_FAILURE,
    ),
    Step(
        "paths are opened part by part",
        ".venv/bin/python -m pytest tests/front/documents/test_opening.py",
        _NO_FAILURE,
    ),
    Step(
        "demanded and moved names one Python",
        "brew uninstall --ignore-dependencies python@3.14;"
        " ! MCP_MEMORY_USE_HOMEBREW_PYTORCH=1 memory-mcp daemon install",
        r"brew install python@3\.14",
    ),
    Step(
        "PyTorch without its Python names the Python",
        "memory-mcp daemon install || true; brew install python@3.14",
        r"(?s)brew install python@3\.14",
    ),
    Step(
        "install, status, logs, uninstall",
        "memory-mcp store kept || true; memory-mcp daemon logs; memory-mcp daemon uninstall;"
        " ls ~/Library/Application\\ Support/memory-mcp/memory.db",
        r"memory\.db",
    ),
    Step(
        "pip with the lock's hashes for darwin",
        "MCP_MEMORY_USE_HOMEBREW_PYTORCH=0 memory-mcp daemon install",
        r"each file's hash checked",
    ),
    Step(
        "the place of `--venv` is found again",
        "memory-mcp daemon install --venv ~/elsewhere && memory-mcp daemon status",
        r"elsewhere",
    ),
)
BY_HAND: Final = {
    "an environment built after the move reuses again": "a move of PyTorch comes with a release of Homebrew",
    "PyTorch moved to a newer Python": "the same",
    "an Intel Mac: no bottle, no wheels": "the runner is not an Intel Mac",
    "a twin waits for the lock and takes over": "it wants two windows",
    "whether `launchctl bootstrap` is allowed in a session without a desktop (ssh)": "the runner has a desktop",
    "the switch in Login Items, and what it leaves": "it is a switch in a window",
    "LaunchAgents that is owned by root, as some installers leave it": "the runner's is its user's",
    "`fullfsync`": "it takes a power cut",
    "sleep and wake": "the runner does not sleep",
}
"""Rows that only a person can try, with what stands in the way."""


def main() -> None:
    """Take every step, even after one that failed; say what each did."""
    if (sys.platform, platform.machine()) != ("darwin", "arm64"):
        raise SystemExit("memory-mcp: this is for a Mac with Apple's processor; see docs/macos.md")
    failed = [step.row for step in STEPS if not taken(step)]
    summarise(failed)
    if failed:
        raise SystemExit(f"{len(failed)} of {len(STEPS)} rows of docs/macos.md do not hold on this Mac")


def taken(step: Step) -> bool:
    """Run one step and show it."""
    print(f"::group::{step.row}", flush=True)  # noqa: T201 - a log is what this makes
    done = run(step.script)
    print(done, "::endgroup::", sep="\n", flush=True)  # noqa: T201 - likewise
    held = re.search(step.says, done) is not None
    print(f"{'holds' if held else 'FAILED'}: {step.row}", flush=True)  # noqa: T201 - likewise
    return held


def run(script: str) -> str:
    """Return what a script of the shell prints."""
    command = ["/bin/bash", "-c", script]
    try:
        done = subprocess.run(  # noqa: S603 - our own lines
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired as late:
        return f"it took more than {SECONDS:.0f} s\n{(late.stdout or b'').decode(errors='replace')}"
    return done.stdout.decode(errors="replace")


def summarise(failed: Iterable[str]) -> None:
    """Write the page's rows with their outcome where GitHub shows them."""
    place = os.environ.get("GITHUB_STEP_SUMMARY")
    if place:
        rows = [f"| {step.row} | {'**failed**' if step.row in failed else 'holds'} |\n" for step in STEPS]
        rows += [f"| {row} | by hand: {why} |\n" for row, why in BY_HAND.items()]
        Path(place).write_text("".join(["| docs/macos.md | this Mac |\n|---|---|\n", *rows]), encoding="utf-8")


if __name__ == "__main__":
    main()
