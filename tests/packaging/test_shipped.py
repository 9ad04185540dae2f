"""The checkers of each format accept what is shipped (`make test-packaging`)."""

from __future__ import annotations

import email
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from scripts import bundle

pytestmark = pytest.mark.packaging

ROOT = Path(__file__).parents[2]
CHECKERS = ROOT / ".venv-packaging" / "bin"
PACKAGING = ROOT / "packaging"


def run(*command: str | Path) -> str:
    """Run a checker, and fail with all that it says."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel, as `make wheel` does."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = (sys.executable, "-I", "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet", "--no-deps")
    run(*pip, "--wheel-dir", folder, ROOT)
    (built,) = folder.glob("memory_mcp-*.whl")
    return built


def test_the_readme_renders_on_the_index(wheel: Path) -> None:
    """Twine takes the metadata, and no link in the text is relative: nothing lies beside it there."""
    assert "PASSED" in run(CHECKERS / "twine", "check", "--strict", wheel)
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        described = str(email.message_from_bytes(archive.read(name)).get_payload())
    script = (
        "import sys, re, readme_renderer.markdown as m; html = m.render(sys.stdin.read());"
        "print([u for u in re.findall(r'(?:href|src)=\"([^\"]+)', html) if not u.startswith(('https://', '#'))])"
    )
    done = subprocess.run(
        [CHECKERS / "python", "-I", "-c", script], input=described, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_the_registrys_entry_fits_its_schema(tmp_path: Path) -> None:
    """The registry's own schema, which the checker brings, takes it; and refuses one whose description is too long."""
    entry = json.loads((PACKAGING / "registry" / "server.json").read_text(encoding="utf-8"))
    for description, code in ((entry["description"], 0), ("long" * 30, 1)):
        text = json.dumps(entry | {"description": description})
        (tmp_path / "server.json").write_text(text, encoding="utf-8")
        command = [str(CHECKERS / "skillsaw"), "lint", str(tmp_path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stdout


@pytest.mark.parametrize("name", ["front", "daemon"])
def test_the_images_are_clean(name: str) -> None:
    """Hadolint has nothing to say."""
    assert run(CHECKERS / "hadolint", PACKAGING / "container" / f"{name}.Containerfile") == ""


@pytest.mark.skipif(not bundle.PACKER.exists(), reason="npm's mcpb is not in .node (make .node/.stamp)")
def test_the_bundle_is_packed(wheel: Path, tmp_path: Path) -> None:
    """Mcpb takes the manifest and packs it with the wheel."""
    run(sys.executable, "-m", "scripts.bundle", wheel, tmp_path)
    (packed,) = tmp_path.glob("*.mcpb")
    with zipfile.ZipFile(packed) as archive:
        assert {"manifest.json", "server.py", "pyproject.toml", wheel.name} <= set(archive.namelist())
