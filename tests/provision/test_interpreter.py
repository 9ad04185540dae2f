from __future__ import annotations

import platform
import shutil
import sys
from pathlib import Path

import pytest

from memory_mcp.domain.errors import SettingsError
from memory_mcp.provision import interpreter
from memory_mcp.provision.errors import ProvisionError
from memory_mcp.provision.interpreter import USUAL_BREWS, HomebrewMissingError, choose, find_homebrew, own_interpreter
from memory_mcp.provision.process import SystemRunner
from tests.provision.conftest import VERSION, FakeHomebrew, make_program

RUNNER = SystemRunner()


def test_homebrews_pytorch_is_taken_where_there_is_one(homebrew: FakeHomebrew) -> None:
    """With torch and its Python there, Homebrew's interpreter is chosen and torch's version read."""
    homebrew.add_pytorch()
    homebrew.add_python()
    choice = choose(None, use_homebrew=None, runner=RUNNER, brew=homebrew.brew)
    assert choice.python == homebrew.prefix / "opt" / f"python@{VERSION}" / "bin" / f"python{VERSION}"
    assert choice.homebrew is not None
    assert choice.homebrew.torch == "2.12.1"
    assert choice.homebrew.site_packages == homebrew.site_packages
    assert choice.steps == (f"reusing Homebrew's PyTorch 2.12.1 in {homebrew.prefix}",)


def test_brew_is_found_on_the_path(homebrew: FakeHomebrew, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a place given, `brew` is looked up as a shell does."""
    homebrew.add_pytorch()
    homebrew.add_python()
    monkeypatch.setenv("PATH", str(homebrew.brew.parent), prepend=":")
    choice = choose(None, use_homebrew=True, runner=RUNNER)
    assert choice.homebrew is not None
    assert choice.homebrew.prefix == homebrew.prefix


def test_a_dangling_interpreter_names_the_python_to_install(homebrew: FakeHomebrew) -> None:
    """Homebrew's PyTorch without its Python is passed over, and the reason holds the command."""
    homebrew.add_pytorch()
    link = homebrew.prefix / "opt" / "pytorch" / "libexec" / "bin" / "python"
    assert link.is_symlink()
    assert not link.exists()
    choice = choose(None, use_homebrew=None, runner=RUNNER, brew=homebrew.brew)
    assert choice.homebrew is None
    assert choice.python == own_interpreter()
    assert f"`brew install python@{VERSION}`" in choice.steps[0]


def test_homebrew_without_pytorch_falls_to_our_own_python(homebrew: FakeHomebrew) -> None:
    """Both steps are told: why not Homebrew, and what instead."""
    choice = choose(None, use_homebrew=None, runner=RUNNER, brew=homebrew.brew)
    assert choice.steps[0] == f"not using Homebrew's PyTorch: Homebrew in {homebrew.prefix} has no PyTorch"
    assert choice.steps[1] == "building the environment on the Python that runs memory-mcp, with its own PyTorch"


def test_a_formula_without_torch_is_told(homebrew: FakeHomebrew) -> None:
    """An empty formula is no PyTorch."""
    homebrew.site_packages.mkdir(parents=True)
    choice = choose(None, use_homebrew=None, runner=RUNNER, brew=homebrew.brew)
    assert "`brew reinstall pytorch`" in choice.steps[0]


def test_a_brew_that_fails_is_told(tmp_path: Path) -> None:
    """A broken `brew` does not stop the installation; its last line is the reason."""
    brew = make_program(tmp_path / "brew", "#!/bin/sh\necho broken brew >&2\nexit 1\n")
    choice = choose(None, use_homebrew=None, runner=RUNNER, brew=brew)
    assert "broken brew" in choice.steps[0]


def test_pytorch_follows_homebrews_python(homebrew: FakeHomebrew) -> None:
    """When `brew upgrade` built PyTorch for another Python than the one that is there, that one is named."""
    homebrew.add_pytorch()
    homebrew.add_python()
    homebrew.move_pytorch_to_python("3.99")
    choice = choose(None, use_homebrew=None, runner=RUNNER, brew=homebrew.brew)
    assert choice.homebrew is None
    assert "needs Python 3.99, which is not installed: run `brew install python@3.99`" in choice.steps[0]


@pytest.mark.parametrize(
    ("system", "machine", "bottles", "compiles"),
    [
        ("darwin", "x86_64", ("arm64_tahoe", "arm64_sequoia", "x86_64_linux"), True),
        ("darwin", "x86_64", ("arm64_tahoe", "sonoma"), False),
        ("darwin", "arm64", ("arm64_tahoe", "x86_64_linux"), False),
        ("darwin", "arm64", ("sonoma", "x86_64_linux"), True),
        ("linux", "x86_64", ("arm64_tahoe", "x86_64_linux"), False),
        ("linux", "aarch64", ("arm64_linux",), False),
        ("linux", "aarch64", ("arm64_tahoe", "x86_64_linux"), True),
    ],
)
def test_a_build_that_takes_hours_is_told(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    system: str,
    machine: str,
    bottles: tuple[str, ...],
    compiles: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """Where Homebrew has no bottle for this machine, `brew install pytorch` compiles, and the reason says so."""
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    with pytest.raises(HomebrewMissingError) as caught:
        find_homebrew(RUNNER, FakeHomebrew(tmp_path, bottles).brew)
    assert ("would compile for hours" in str(caught.value)) is compiles


def test_an_intel_mac_without_homebrews_pytorch_is_told(
    homebrew: FakeHomebrew, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PyTorch has no wheels for it any more, so that nothing else is tried."""
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    with pytest.raises(ProvisionError, match=r"on Intel Macs only Homebrew has a PyTorch.*`brew install pytorch`"):
        choose(None, use_homebrew=None, runner=RUNNER, brew=homebrew.brew)


def test_linuxbrew_is_found_where_it_lies(homebrew: FakeHomebrew, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bare PATH, as systemd and clients have: the usual places are looked at."""
    homebrew.add_pytorch()
    homebrew.add_python()
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setattr(interpreter, "USUAL_BREWS", (Path("/nowhere/brew"), homebrew.brew))
    assert choose(None, use_homebrew=True, runner=RUNNER).homebrew is not None
    assert Path("/home/linuxbrew/.linuxbrew/bin/brew") in USUAL_BREWS


def test_demanded_and_absent_fails_with_the_two_commands(homebrew: FakeHomebrew) -> None:
    """MCP_MEMORY_USE_HOMEBREW_PYTORCH=1 never falls back."""
    with pytest.raises(ProvisionError, match=r"`brew install pytorch` and `brew install python@3\.14`"):
        choose(None, use_homebrew=True, runner=RUNNER, brew=homebrew.brew)


def test_demanded_and_moved_names_one_python(homebrew: FakeHomebrew) -> None:
    """Where PyTorch is there and its Python is not, that one is to be installed and no other."""
    homebrew.add_pytorch()
    homebrew.add_python()
    homebrew.move_pytorch_to_python("3.99")
    with pytest.raises(ProvisionError, match=r"run `brew install python@3\.99`$"):
        choose(None, use_homebrew=True, runner=RUNNER, brew=homebrew.brew)


def test_forbidden_is_not_even_asked(homebrew: FakeHomebrew) -> None:
    """MCP_MEMORY_USE_HOMEBREW_PYTORCH=0 takes our own Python although Homebrew's is there."""
    homebrew.add_pytorch()
    homebrew.add_python()
    choice = choose(None, use_homebrew=False, runner=RUNNER, brew=homebrew.brew)
    assert choice.homebrew is None
    assert choice.python == own_interpreter()
    assert "=0" in choice.steps[0]


def test_an_explicit_interpreter_comes_first(homebrew: FakeHomebrew) -> None:
    """What the user names is taken, and Homebrew is not looked at."""
    homebrew.add_pytorch()
    homebrew.add_python()
    choice = choose(Path(sys.executable), use_homebrew=None, runner=RUNNER, brew=homebrew.brew)
    assert choice.python == Path(sys.executable)
    assert choice.homebrew is None
    assert "EMBEDDER_PYTHON" in choice.steps[0]


def test_explicit_and_demanded_contradict(homebrew: FakeHomebrew) -> None:
    """Two wishes that exclude each other are a wrong setting, not a guess."""
    with pytest.raises(SettingsError, match="unset one of them"):
        choose(Path(sys.executable), use_homebrew=True, runner=RUNNER, brew=homebrew.brew)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ('{"version": [3, 9, 6], "venv": true}', "is Python 3.9.6"),
        ('{"version": [3, 12, 1], "venv": false}', "python3-venv"),
        ("I am a teapot", "is not a working Python"),
    ],
)
def test_an_interpreter_that_does_not_fit_is_one_line(tmp_path: Path, answer: str, message: str) -> None:
    """Too old, without venv, or no Python at all: each is named."""
    python = make_program(tmp_path / "python", f"#!/bin/sh\necho '{answer}'\n")
    with pytest.raises(ProvisionError, match=message) as caught:
        choose(python, use_homebrew=None, runner=RUNNER)
    assert "\n" not in str(caught.value)


def test_what_is_no_python_shows_none_of_our_code() -> None:
    """A program that fails is named without the lines that it was asked to run."""
    false = shutil.which("false")
    assert false
    with pytest.raises(
        ProvisionError, match=r"false is not a working Python; choose another with EMBEDDER_PYTHON"
    ) as caught:
        choose(Path(false), use_homebrew=None, runner=RUNNER)
    assert "import" not in str(caught.value)


def test_an_interpreter_that_is_not_there_is_named() -> None:
    """A wrong EMBEDDER_PYTHON says so."""
    with pytest.raises(ProvisionError, match="no program /nowhere/python"):
        choose(Path("/nowhere/python"), use_homebrew=None, runner=RUNNER)


def test_our_own_interpreter_is_not_the_virtual_environments() -> None:
    """An environment built on another's link would break with it."""
    own = own_interpreter()
    assert own.exists()
    assert not (own.parent.parent / "pyvenv.cfg").exists()
