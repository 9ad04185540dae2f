"""The checkers of workflows accept ours, and would not accept worse (`make test-packaging`)."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.packaging

ROOT = Path(__file__).parents[2]
CHECKERS = ROOT / ".venv-packaging" / "bin"
COMMANDS = {"actionlint": ("actionlint",), "zizmor": ("zizmor", "--offline", "--pedantic", "--no-progress")}


def check(checker: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Ask a checker about the workflows of a folder."""
    program, *options = COMMANDS[checker]
    files = sorted(folder.glob("*.yml"))
    return subprocess.run([CHECKERS / program, *options, *files], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("checker", COMMANDS)
def test_a_checker_has_nothing_to_say(checker: str) -> None:
    """Neither about syntax and expressions nor about safety."""
    done = check(checker, ROOT / ".github" / "workflows")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("checker", COMMANDS)
def test_a_checker_would_say_it(checker: str, tmp_path: Path) -> None:
    """A title of a stranger's that is put into a shell is seen by both."""
    shutil.copytree(ROOT / ".github" / "workflows", tmp_path, dirs_exist_ok=True)
    file = tmp_path / "ci.yml"
    injected = "run: echo ${{ github.event.pull_request.title }}"
    file.write_text(file.read_text(encoding="utf-8").replace("run: bash .ci/run", injected), encoding="utf-8")
    assert check(checker, tmp_path).returncode != 0
