"""A Homebrew prefix made of real files, and tiny wheels in place of the large ones."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from memory_mcp.provision import code, recipe, source
from memory_mcp.provision.versions import Environment

VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
BASE_PYTHON = Path(getattr(sys, "_base_executable", sys.executable))


def make_program(path: Path, text: str) -> Path:
    """Write an executable."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
    return path


def make_wheel(folder: Path, name: str, files: dict[str, str], *, requires: str = "", version: str = "1.0") -> Path:
    """Write a wheel that pip installs without any index."""
    info = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    members = files | {
        f"{info}/METADATA": metadata + (f"Requires-Dist: {requires}\n" if requires else ""),
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for member, text in members.items():
            wheel.writestr(member, text)
        wheel.writestr(f"{info}/RECORD", "".join(f"{member},,\n" for member in [*members, f"{info}/RECORD"]))
    return path


def make_environment(folder: Path) -> None:
    """Make an environment as `daemon install` leaves it, with a torch that is a name only, and without a model."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    environment = Environment(folder)
    packages = environment.site_packages
    (packages / "torch").mkdir()
    (packages / "torch" / "__init__.py").touch()
    (packages / "torch-2.13.0.dist-info").mkdir()
    (packages / "torch-2.13.0.dist-info" / "METADATA").write_text("Name: torch\nVersion: 2.13.0\n")
    environment.write_stamp({"environment": "key", "code": code.key(), "measured": "key"})


@dataclass(frozen=True)
class FakeHomebrew:
    """A prefix laid out as Homebrew does: Cellar, opt links, an interpreter that dangles, nested .pth files."""

    prefix: Path
    bottles: tuple[str, ...] = ("arm64_tahoe", "arm64_sequoia", "x86_64_linux")

    def __post_init__(self) -> None:
        """Write the command: it answers `--prefix`, `list` and `info --json=v2` as the real one does."""
        about = {
            "formulae": [{"name": "pytorch", "bottle": {"stable": {"files": {name: {} for name in self.bottles}}}}]
        }
        make_program(
            self.brew,
            "#!/bin/sh\n"
            f"prefix='{self.prefix}'\n"
            'case "$1" in\n'
            '--prefix) echo "$prefix${2:+/opt/$2}";;\n'
            'list) ls "$prefix/Cellar" 2>/dev/null;;\n'
            f"info) [ \"$2\" = --json=v2 ] && echo '{json.dumps(about)}';;\n"
            '*) echo "Error: Unknown command: brew $1" >&2; exit 1;;\n'
            "esac\n",
        )

    @property
    def brew(self) -> Path:
        """The command."""
        return self.prefix / "bin" / "brew"

    @property
    def site_packages(self) -> Path:
        """Where torch is, as `opt` names it."""
        return self.prefix / "opt" / "pytorch" / "libexec" / "lib" / f"python{VERSION}" / "site-packages"

    def upgrade_pytorch(self, version: str) -> None:
        """Do what `brew upgrade` does: another folder in the Cellar, another link, and the old folder goes."""
        opt = self.prefix / "opt" / "pytorch"
        shutil.rmtree(opt.resolve())
        opt.unlink()
        self.add_pytorch(version)

    def move_pytorch_to_python(self, python: str) -> None:
        """Do what `brew upgrade` does when PyTorch is built for a newer Python."""
        folder = self.prefix / "opt" / "pytorch" / "libexec" / "lib" / f"python{VERSION}"
        folder.rename(folder.with_name(f"python{python}"))

    def add_pytorch(self, version: str = "2.12.1") -> None:
        """Do what `brew install pytorch` does."""
        libexec = self.prefix / "Cellar" / "pytorch" / version / "libexec"
        self._link("pytorch", libexec.parent)
        (libexec / "bin").mkdir(parents=True)
        (libexec / "bin" / "python").symlink_to(self.prefix / "opt" / f"python@{VERSION}" / "bin" / f"python{VERSION}")
        torch = self.site_packages / "torch"
        torch.mkdir(parents=True)
        (torch / "__init__.py").write_text(f'import numpy\n\n__version__ = "{version}"\n', encoding="utf-8")
        info = self.site_packages / f"torch-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: torch\nVersion: {version}\n", encoding="utf-8")
        self._add_numpy()

    def add_python(self) -> None:
        """Do what `brew install python@3.x` does."""
        folder = self.prefix / "Cellar" / f"python@{VERSION}" / "1" / "bin"
        folder.mkdir(parents=True)
        (folder / f"python{VERSION}").symlink_to(BASE_PYTHON)
        self._link(f"python@{VERSION}", folder.parent)

    def _add_numpy(self) -> None:
        """Torch's own dependency lies in another formula and is named by a .pth file."""
        folder = self.prefix / "opt" / "numpy" / "lib" / f"python{VERSION}" / "site-packages"
        (folder / "numpy").mkdir(parents=True, exist_ok=True)
        (folder / "numpy" / "__init__.py").write_text("", encoding="utf-8")
        (self.site_packages / "homebrew-numpy.pth").write_text(f"{folder}\n", encoding="utf-8")

    def _link(self, formula: str, target: Path) -> None:
        opt = self.prefix / "opt"
        opt.mkdir(exist_ok=True)
        target.mkdir(parents=True, exist_ok=True)
        (opt / formula).symlink_to(os.path.relpath(target, opt))


@pytest.fixture
def homebrew(tmp_path: Path) -> FakeHomebrew:
    """Homebrew without any formula."""
    return FakeHomebrew(tmp_path / "home brew")  # a space, because a user's folder may hold one


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Make a home with a short path, for a user without settings, and an installation from a wheel."""
    monkeypatch.setattr(source, "checkout", lambda: None)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    for name in [name for name in os.environ if name.startswith(("EMBEDDER_", "MCP_MEMORY_", "XDG_"))]:
        monkeypatch.delenv(name)
    with tempfile.TemporaryDirectory(prefix="mm", dir="/tmp") as folder:
        monkeypatch.setenv("HOME", folder)
        monkeypatch.setenv("MCP_MEMORY_USE_HOMEBREW_PYTORCH", "0")
        monkeypatch.setenv("EMBEDDER_ENGINE", "hash")
        yield Path(folder)


@pytest.fixture
def fake_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do without the model's files, which the hash engine does not read."""
    monkeypatch.setattr(recipe, "MODEL_DIGESTS", {})


@pytest.fixture
def as_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the way of an installed wheel: code is copied, so that no build backend is fetched."""
    monkeypatch.setattr(source, "checkout", lambda: None)
