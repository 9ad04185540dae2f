"""`make lock`: writes the daemon's lock files from its requirements, with the hashes of every platform's wheels.

They do not contain torch, whose builds differ between machines, nor packages that only some of its builds need.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from memory_common.engines import ENGINES
from memory_common.pins import TORCH

DAEMON: Final = Path(__file__).resolve().parents[1] / "embedder_daemon"
REQUIREMENTS: Final = DAEMON / "requirements.txt"
PYTHONS: Final = ("3.11", "3.12", "3.13", "3.14")
_LIBCS: Final = ("2014", *(f"_2_{minor}" for minor in (17, 24, 26, 27, 28, 31, 34, 35, 36, 38, 39)))
TAGS: Final = {
    "linux-x86_64": tuple(f"manylinux{libc}_x86_64" for libc in _LIBCS),
    "linux-aarch64": tuple(f"manylinux{libc}_aarch64" for libc in _LIBCS),
    "darwin-arm64": ("macosx_14_0_arm64",),
}
"""Platforms with a build of torch, and the tags of their wheels."""
_TORCHS: Final = ("torch", "triton", "nvidia", "cuda")

Pin = tuple[str, str]


def main() -> None:
    """Resolve once, here; then look up the wheels of every platform."""
    needed = resolve("-r", str(REQUIREMENTS))
    write(DAEMON / "requirements.lock", needed)
    with_onnx = resolve("-r", str(REQUIREMENTS), *ENGINES["onnx"].extras)
    write(DAEMON / "onnx.lock", [pin for pin in with_onnx if pin not in needed])


def resolve(*what: str) -> list[Pin]:
    """Return names and versions of all required packages but torch's own."""
    found = report(*what, f"torch=={TORCH}")
    return sorted({pin for pin, _ in found if not pin[0].startswith(_TORCHS)})


def report(*arguments: str) -> list[tuple[Pin, str]]:
    """Return the pins that pip would install, each with the SHA-256 of its file."""
    command = [sys.executable, "-I", "-m", "pip", "install", "-qqq", "--dry-run", "--ignore-installed", "--report", "-"]
    done = subprocess.run(  # noqa: S603 - this interpreter's pip
        [*command, "--only-binary", ":all:", *arguments], check=True, stdout=subprocess.PIPE, encoding="utf-8"
    )
    return [
        (
            (item["metadata"]["name"].lower().replace("_", "-"), item["metadata"]["version"]),
            item["download_info"]["archive_info"]["hashes"]["sha256"],
        )
        for item in json.loads(done.stdout)["install"]
    ]


def hashes(pins: Iterable[Pin], tags: Sequence[str], python: str) -> list[tuple[Pin, str]]:
    """Return the hash of each pin's wheel for one platform."""
    with tempfile.TemporaryDirectory() as target:
        platforms = [word for tag in tags for word in ("--platform", tag)]
        names = [f"{name}=={version}" for name, version in pins]
        return report("--no-deps", "--target", target, "--python-version", python, *platforms, *names)


def write(file: Path, pins: list[Pin]) -> None:
    """Write one lock file."""
    known: dict[Pin, set[str]] = {pin: set() for pin in pins}
    for tags in TAGS.values():
        for python in PYTHONS:
            for pin, digest in hashes(pins, tags, python):
                known[pin].add(digest)
    lines = [f"# Made by `make lock` from {REQUIREMENTS.name}; torch is not here, its builds differ.\n"]
    lines += [f"# platforms: {' '.join(TAGS)}\n", f"# pythons: {' '.join(PYTHONS)}\n"]
    for name, version in pins:
        digests = "".join(f" \\\n    --hash=sha256:{digest}" for digest in sorted(known[name, version]))
        lines.append(f"{name}=={version}{digests}\n")
    file.write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
