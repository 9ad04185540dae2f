"""Writes the Homebrew formula from the pins of constraints.txt, with the hashes of the wheels that a Mac gets.

`python -m scripts.formula` looks the wheels up; with our own wheel as an argument it only puts the release's hash in.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from embedder_api import __version__

ROOT: Final = Path(__file__).resolve().parents[1]
FOLDER: Final = ROOT / "packaging" / "homebrew"
FORMULA: Final = FOLDER / "memory-mcp.rb"
TEMPLATE: Final = FOLDER / "memory-mcp.rb.in"
EXTRAS: Final = ("documents",)
PYTHON: Final = "3.14"
PLATFORM: Final = "macosx_14_0_arm64"
UNRELEASED: Final = "0" * 64
"""Stands for the hash of our own wheel until a release has one."""


@dataclass(frozen=True)
class Wheel:
    """A file, as the index serves it."""

    name: str
    file: str
    digest: str
    place: str

    @property
    def stanza(self) -> str:
        """The formula's lines for it."""
        url = f'url "@FILES@/packages/{self.place}/{self.file}", using: :nounzip'
        return f'  resource "{self.name}" do\n    {url}\n    sha256 "{self.digest}"\n  end\n'


def main() -> None:
    """Write the formula anew, or the release's hash into it."""
    if sys.argv[1:]:
        release(Path(sys.argv[1]), FORMULA)
    else:
        FORMULA.write_text(formula(wheels()), encoding="utf-8")


def release(wheel: Path, formula_file: Path) -> None:
    """Put the hash of our own wheel into a formula."""
    text = formula_file.read_text(encoding="utf-8")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    formula_file.write_text(re.sub(r'sha256 "[0-9a-f]{64}"', f'sha256 "{digest}"', text, count=1), encoding="utf-8")


def requirements() -> list[str]:
    """Return what the front requires, with the extras of the formula."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [need for extra in EXTRAS for need in project["optional-dependencies"][extra]]
    return [*project["dependencies"], *extras]


def wheels() -> list[Wheel]:
    """Download what a Mac would install, and describe it."""
    with tempfile.TemporaryDirectory() as folder:
        words = ["--only-binary", ":all:", "--platform", PLATFORM, "--python-version", PYTHON, "--dest", folder]
        command = [sys.executable, "-I", "-m", "pip", "download", "-q", "-c", str(ROOT / "constraints.txt"), *words]
        subprocess.run([*command, *requirements()], check=True)  # noqa: S603 - this interpreter's pip
        return sorted((described(file) for file in Path(folder).iterdir()), key=lambda wheel: wheel.name)


def described(file: Path) -> Wheel:
    """Return a wheel's name, hash and place: the index files it under its BLAKE2 hash."""
    content = file.read_bytes()
    blake = hashlib.blake2b(content, digest_size=32).hexdigest()
    name = file.name.partition("-")[0].lower().replace("_", "-").replace(".", "-")
    return Wheel(name, file.name, hashlib.sha256(content).hexdigest(), f"{blake[:2]}/{blake[2:4]}/{blake[4:]}")


def formula(found: list[Wheel]) -> str:
    """Fill in the template."""
    text = TEMPLATE.read_text(encoding="utf-8").replace("@RESOURCES@\n", "\n".join(wheel.stanza for wheel in found))
    for name, value in (("VERSION", __version__), ("SHA256", UNRELEASED), ("PYTHON", PYTHON)):
        text = text.replace(f"@{name}@", value)
    files = next(line for line in text.splitlines() if line.startswith("# files: ")).removeprefix("# files: ")
    return text.replace(f"# files: {files}\n", "").replace("@FILES@", files)


if __name__ == "__main__":
    main()
