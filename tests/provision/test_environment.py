from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from memory_common.engines import ENGINES
from memory_common.pins import TORCH
from memory_mcp.provision import code, environment, source
from memory_mcp.provision.code import NAMES
from memory_mcp.provision.environment import PTH, Builder, prove_reuse
from memory_mcp.provision.errors import ProvisionError
from memory_mcp.provision.interpreter import Choice, choose, find_homebrew
from memory_mcp.provision.process import SystemRunner
from memory_mcp.provision.progress import Lines
from memory_mcp.provision.recipe import Recipe, verify_digests
from memory_mcp.provision.versions import STAMP, Environment, Versions
from tests.provision.conftest import BASE_PYTHON, VERSION, FakeHomebrew, make_wheel
from tests.provision.fakes import MODEL, WEIGHTS, FakePython
from tests.provision.test_launchd import until

ODD_NAMES = ("a b", "a$HOME", "a`id`", "it's", 'q"q', "back\\n", "100%", "new\nline", "größe", "'''", "-x")
RUNNER = SystemRunner()
SILENT = Lines(lambda _: None)
ONNX = ENGINES["onnx"].extras


def make_recipe(folder: Path) -> Recipe:
    """Stand in for the large packages: one that needs torch, and a model; no index is asked."""
    needs_torch = make_wheel(folder, "needs_torch", {"needs_torch.py": "import torch\n"}, requires="torch>=2")
    model = make_wheel(folder, "tiny_model", {"tiny_model/weights": WEIGHTS})
    requirements = folder / "requirements.txt"
    requirements.write_text(needs_torch.as_uri() + "\n", encoding="utf-8")
    digest = hashlib.sha256(WEIGHTS.encode()).hexdigest()
    return Recipe(requirements, model=model.as_uri(), digests={"tiny_model/weights": digest})


@pytest.fixture
def fake(tmp_path: Path, as_installed: None) -> tuple[Builder, FakePython]:
    """Make a builder whose pip is quick."""
    requirements = tmp_path / "requirements.txt"
    requirements.touch()
    recipe = Recipe(requirements, model=MODEL, digests={"weights": hashlib.sha256(WEIGHTS.encode()).hexdigest()})
    python, said = FakePython(), list[str]()
    return Builder(
        tmp_path / "venv", Choice(BASE_PYTHON, "3", None, ("because",)), python, Lines(said.append), recipe
    ), python


def used(builder: Builder) -> Environment:
    """Return the environment that the link leads to."""
    assert builder.place.is_symlink()
    found = builder.versions.current()
    assert found is not None
    return found


def facts(python: Path, code: str) -> list[str]:
    """Ask an interpreter."""
    done = subprocess.run([python, "-I", "-c", code], check=True, capture_output=True, text=True)
    return done.stdout.split("\n")[:-1]


def test_homebrews_torch_is_reused(homebrew: FakeHomebrew, tmp_path: Path, as_installed: None) -> None:
    """A real environment imports torch and torch's numpy from the prefix, and pip takes it for installed."""
    homebrew.add_pytorch()
    homebrew.add_python()
    said: list[str] = []
    choice = choose(None, use_homebrew=None, runner=RUNNER, brew=homebrew.brew)
    builder = Builder(tmp_path / "daemon venv", choice, RUNNER, Lines(said.append), make_recipe(tmp_path))
    assert builder.build()
    code = "import needs_torch, torch, numpy; print(torch.__file__, torch.__version__, numpy.__file__, sep='\\n')"
    torch, version, numpy = facts(used(builder).python, code)
    assert Path(torch).resolve().is_relative_to(homebrew.prefix.resolve())
    assert Path(numpy).resolve().is_relative_to(homebrew.prefix.resolve())
    assert version == "2.12.1"
    assert not list((used(builder).folder / "lib").glob("python*/site-packages/torch*"))
    assert any("reusing torch 2.12.1" in line for line in said)
    check_a_plain_path_line_would_miss_numpy(used(builder), homebrew)
    check_second_run_does_nothing(builder, said)
    check_a_second_torch_is_detected(used(builder), homebrew)
    check_the_launcher_starts(used(builder))
    check_what_brew_upgrade_moves_is_told(builder, homebrew)


def check_a_plain_path_line_would_miss_numpy(environment: Environment, homebrew: FakeHomebrew) -> None:
    """Show that the trap which `addsitedir` avoids is real in the replica, too."""
    pth = environment.site_packages / PTH
    kept = pth.read_text(encoding="utf-8")
    assert "addsitedir" in kept
    pth.write_text(f"{homebrew.site_packages}\n", encoding="utf-8")
    code = "import importlib.util as u; print(bool(u.find_spec('torch')), bool(u.find_spec('numpy')), sep='\\n')"
    assert facts(environment.python, code) == ["True", "False"]
    pth.write_text(kept, encoding="utf-8")


def check_second_run_does_nothing(builder: Builder, said: list[str]) -> None:
    """Nothing is announced and nothing changes."""
    said.clear()
    assert not builder.build()
    assert said == []
    moved = replace(builder, choice=replace(builder.choice, version="3.99.0"))
    assert moved.environment_key() != builder.environment_key()


def check_a_second_torch_is_detected(environment: Environment, homebrew: FakeHomebrew) -> None:
    """Show that a torch in the environment itself, which hides Homebrew's, is an error."""
    found = find_homebrew(RUNNER, homebrew.brew)
    prove_reuse(environment, found, RUNNER)
    second = environment.site_packages / "torch"
    second.mkdir()
    with pytest.raises(ProvisionError, match="a second torch"):
        prove_reuse(environment, found, RUNNER)
    second.rmdir()
    with pytest.raises(ProvisionError, match="not from Homebrew"):
        prove_reuse(environment, replace(found, prefix=Path("/nowhere")), RUNNER)


def check_the_launcher_starts(environment: Environment) -> None:
    """Start the copied program, although its folder's name holds a space; it comes as far as what is not installed."""
    code = "import {0}; print(*[each.__file__ for each in ({0})], sep='\\n')".format(", ".join(NAMES))
    assert {"embedder_daemon", "memory_common", "embedder_api"} == set(NAMES)
    for file in facts(environment.python, code):
        assert Path(file).is_relative_to(environment.folder)
    done = subprocess.run([environment.program], capture_output=True, text=True, check=False)
    assert "ModuleNotFoundError" in done.stderr
    assert f"{environment.folder}/code-" in done.stderr


def check_what_brew_upgrade_moves_is_told(builder: Builder, homebrew: FakeHomebrew) -> None:
    """See what the environment says of a newer torch, of a moved Python and of one that is gone."""
    ask = [str(used(builder).python), "-I", "-m", "embedder_daemon.runtime.homebrew_check"]
    assert subprocess.check_output(ask, text=True) == "\n"
    homebrew.upgrade_pytorch("2.14.0")
    assert "is 2.14.0 now, but this environment was built for 2.12.1" in subprocess.check_output(ask, text=True)
    check_the_next_build_reuses_again(builder, homebrew)
    ask[0] = str(used(builder).python)
    homebrew.move_pytorch_to_python("3.99")
    assert "any more, as after `brew upgrade`: run `memory-mcp daemon install`" in subprocess.check_output(
        ask, text=True
    )
    used(builder).python.unlink()
    done = subprocess.run([used(builder).program], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.endswith("is gone, as after brew upgrade: run memory-mcp daemon install\n")


def check_the_next_build_reuses_again(builder: Builder, homebrew: FakeHomebrew) -> None:
    """Build again after `brew upgrade`: what it brought is reused."""
    moved = replace(builder, choice=choose(None, use_homebrew=True, runner=RUNNER, brew=homebrew.brew))
    assert moved.build()
    assert facts(used(builder).python, "import torch; print(torch.__version__)") == ["2.14.0"]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_the_launcher_starts_in_a_folder_of_any_name(name: str, tmp_path: Path, as_installed: None) -> None:
    """No shell expands it, and nothing that is set for other Pythons reaches the daemon's."""
    environment = Environment(tmp_path / name / "daemon-1")
    subprocess.run([BASE_PYTHON, "-I", "-m", "venv", "--without-pip", environment.folder], check=True)
    (environment.site_packages / "packages.pth").write_text(f"{sysconfig.get_path('purelib')}\n", encoding="utf-8")
    code.install(environment, lambda *_: None)
    hostile = dict.fromkeys(("PYTHONPATH", "PYTHONHOME", "PYTHONEXECUTABLE", "__PYVENV_LAUNCHER__"), "/nowhere")
    hostile |= {"PYTHONWARNINGS": "error", "PYTHONINSPECT": "1", "PYTHONPLATLIBDIR": "x", "PYTHONOPTIMIZE": "2"}
    command = [str(environment.program), "--engine", "nonsense"]
    done = subprocess.run(command, env=os.environ | hostile, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "unknown name 'nonsense'" in done.stderr


def test_what_fails_leaves_the_one_in_use_and_is_taken_up_again(
    fake: tuple[Builder, FakePython], tmp_path: Path
) -> None:
    """A damaged model ends the build in one line, the link stays, and the next run goes on where this one was."""
    builder, python = fake
    assert builder.build()
    first = used(builder).folder
    other = replace(builder, choice=replace(builder.choice, version="4"))
    damaged = replace(other, recipe=replace(builder.recipe, digests={"weights": "0" * 64}))
    with pytest.raises(ProvisionError, match="is damaged: sha256") as caught:
        damaged.build()
    assert "\n" not in str(caught.value)
    assert used(builder).folder == first
    python.commands.clear()
    with pytest.raises(ProvisionError, match="is damaged"):
        damaged.build()
    assert not any("venv" in command for command in python.commands)
    assert other.build()
    assert used(builder).folder == tmp_path / "venv-2"
    assert first.is_dir()
    assert not other.build()


def test_the_steps_in_their_order(fake: tuple[Builder, FakePython]) -> None:
    """Where no hashes are known, the pinned versions are installed, torch first, and that is said."""
    builder, python = fake
    assert builder.build()
    venv, torch, others, model, measure = python.commands
    folder = used(builder).folder
    assert venv == (str(BASE_PYTHON), "-I", "-m", "venv", str(folder))
    assert torch[-1] == f"torch=={TORCH}"
    assert others[-4:] == ("-c", str(folder / environment.CONSTRAINT), "-r", str(builder.recipe.requirements))
    assert model[-2:] == ("--no-deps", MODEL)
    assert measure[-2:] == ("-m", "embedder_daemon.autotune")


def test_hashes_are_checked_where_they_are_known(fake: tuple[Builder, FakePython]) -> None:
    """With a lock file for this platform and Python, everything but torch is installed by hash, before torch."""
    builder, python = fake
    own = source.requirements()
    for name in ("requirements.txt", "requirements.lock", "onnx.lock"):
        shutil.copy(own.with_name(name), builder.recipe.requirements.with_name(name))
    locked = replace(
        builder,
        choice=replace(builder.choice, version="3.12.4"),
        recipe=replace(builder.recipe, extras=ONNX),
    )
    assert locked.build()
    _, by_hash, torch, _, _ = python.commands
    locks = [str(own.with_name(name)).replace(str(own.parent), str(builder.place.parent)) for name in LOCKS]
    assert by_hash[-6:] == ("--no-deps", "--require-hashes", "-r", locks[0], "-r", locks[1])
    assert torch[-1] == f"torch=={TORCH}"


LOCKS = ("requirements.lock", "onnx.lock")


def test_the_lock_files_have_a_hash_for_every_pin() -> None:
    """Each requirement is in the lock in the same version, each line of it has hashes, and torch is not there."""
    folder = source.requirements().parent
    locked = {}
    for name in LOCKS:
        for entry in (folder / name).read_text(encoding="utf-8").replace("\\\n", " ").splitlines():
            if not entry.startswith("#"):
                pin, *hashes = entry.split()
                assert hashes
                assert all(word.startswith("--hash=sha256:") for word in hashes)
                locked[pin.partition("==")[0]] = pin.partition("==")[2]
    wanted = [line.split() for line in source.requirements().read_text(encoding="utf-8").splitlines()]
    pins = [words[0] for words in wanted if words and not words[0].startswith("#")] + list(ONNX)
    for pin in pins:
        name, _, version = pin.partition("==")
        assert locked[name] == version
    assert "torch" not in locked


def test_pip_refuses_a_file_whose_hash_is_another(tmp_path: Path, as_installed: None) -> None:
    """A wheel that is not the one of the lock file is not installed, and nothing takes the place."""
    wheel = make_wheel(tmp_path, "needs_torch", {"needs_torch.py": ""})
    recipe = make_recipe(tmp_path)
    here = f"{os.uname().sysname.lower()}-{os.uname().machine.lower()}"
    lock = recipe.requirements.with_suffix(".lock")
    lock.write_text(f"# platforms: {here}\n# pythons: {VERSION}\n{wheel.as_uri()} --hash=sha256:{'0' * 64}\n")
    version = ".".join(map(str, sys.version_info[:3]))
    builder = Builder(tmp_path / "venv", Choice(BASE_PYTHON, version, None, ()), RUNNER, SILENT, recipe)
    with pytest.raises(ProvisionError, match="pip failed: THESE PACKAGES DO NOT MATCH THE HASHES"):
        builder.build()
    assert not builder.place.exists()


def test_optional_packages_are_built_in(fake: tuple[Builder, FakePython]) -> None:
    """What MCP_MEMORY_USE_ONNX adds goes in with the requirements, and makes an older environment be built again."""
    builder, python = fake
    assert builder.build()
    python.commands.clear()
    assert replace(builder, recipe=replace(builder.recipe, extras=ONNX)).build()
    assert python.commands[2][-3:] == (str(builder.recipe.requirements), *ONNX)


def test_a_change_of_the_code_alone_is_cheap(fake: tuple[Builder, FakePython], monkeypatch: pytest.MonkeyPatch) -> None:
    """An upgrade of our own code installs that and keeps torch; an upgraded interpreter builds anew."""
    builder, python = fake
    assert builder.build()
    before = used(builder)
    python.commands.clear()
    monkeypatch.setattr(code, "key", lambda: "newer code")
    assert builder.build()
    assert python.commands == []
    assert used(builder) == before
    copies = sorted(path.name for path in before.folder.glob("code-*"))
    assert len(copies) == 2  # the one before is kept for the daemon that runs
    assert "code-newer code" in (before.site_packages / code.PTH).read_text(encoding="utf-8")
    before.python.unlink()  # as when `brew upgrade` took the interpreter away
    assert builder.build()
    assert "venv" in python.commands[0]
    assert used(builder) != before


def test_one_is_kept_to_go_back_to(fake: tuple[Builder, FakePython]) -> None:
    """After three builds two folders are there, and the link can go back and forth."""
    builder, _ = fake
    for version in ("1", "2", "3"):
        assert replace(builder, choice=replace(builder.choice, version=version)).build()
    versions = builder.versions
    assert [found.folder.name for found in versions.finished()] == ["venv-2", "venv-3"]
    for name in ("venv-2", "venv-3"):
        previous = versions.previous()
        assert previous is not None
        versions.use(previous)
        assert used(builder).folder.name == name


def test_a_daemon_that_does_not_serve_takes_no_place(fake: tuple[Builder, FakePython]) -> None:
    """The proof comes before the swap; in an environment in use, what was in use is put back."""
    builder, _ = fake

    def refuse(environment: Environment, choices: object, log: Path) -> None:
        raise ProvisionError(f"it does not serve with {choices}")

    broken = replace(builder, prove=refuse)
    with pytest.raises(ProvisionError, match="does not serve"):
        broken.build()
    assert not builder.place.exists()
    assert builder.build()
    with pytest.raises(ProvisionError, match="torch"):
        replace(broken, wishes={"EMBEDDER_ENGINE": "torch"}).build()
    assert used(builder).choices() == {}
    assert replace(builder, wishes={"EMBEDDER_ENGINE": "torch"}).build()
    assert used(builder).choices() == {"EMBEDDER_ENGINE": "torch"}
    assert replace(builder, choice=replace(builder.choice, version="4")).build()
    assert used(builder).choices() == {"EMBEDDER_ENGINE": "torch"}
    assert replace(builder, wishes={"EMBEDDER_ENGINE": ""}).build()
    assert replace(builder, wishes={"EMBEDDER_ENGINE": ""}).build() is False
    assert used(builder).choices() == {}


def test_what_pip_had_half_installed_is_forgotten(fake: tuple[Builder, FakePython]) -> None:
    """When a build is taken up, pip installs again a package whose last file was not written."""
    builder, _ = fake
    with pytest.raises(ProvisionError, match="is damaged"):
        replace(builder, recipe=replace(builder.recipe, digests={"weights": "0" * 64})).build()
    site = Environment(builder.place.with_name("venv-1")).site_packages
    whole, half = (site / f"{name}-1.dist-info" for name in ("whole", "half"))
    for folder in (whole, half):
        folder.mkdir()
    (whole / "INSTALLER").write_text("pip\n", encoding="utf-8")
    with pytest.raises(ProvisionError, match="is damaged"):
        replace(builder, recipe=replace(builder.recipe, digests={"weights": "0" * 64})).build()
    assert whole.exists()
    assert not half.exists()


def test_a_build_that_is_killed_is_taken_up(tmp_path: Path) -> None:
    """SIGKILL in the middle of pip leaves the former environment in place, and the next run goes on with the new."""
    hang = tmp_path / "hang"
    script = (
        "import pathlib, sys, time\n"
        "from memory_mcp.provision import source\n"
        "from memory_mcp.provision.environment import Builder\n"
        "from memory_mcp.provision.interpreter import Choice\n"
        "from memory_mcp.provision.progress import Lines\n"
        "from memory_mcp.provision.recipe import Recipe\n"
        "from tests.provision.fakes import FakePython\n"
        "class Slow(FakePython):\n"
        "    def record(self, *command, **more):\n"
        "        super().record(*command, **more)\n"
        "        if command[-1].startswith('torch==') and pathlib.Path(sys.argv[2]).exists():\n"
        "            print('hangs', flush=True)\n"
        "            time.sleep(60)\n"
        "        return ''\n"
        "source.checkout = lambda: None\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "(folder / 'requirements.txt').touch()\n"
        "recipe = Recipe(folder / 'requirements.txt', model='none', digests={})\n"
        "choice = Choice(pathlib.Path(sys.executable), sys.argv[3], None, ())\n"
        "Builder(folder / 'venv', choice, Slow(), Lines(lambda line: print(line, flush=True)), recipe).build()\n"
    )
    root = Path(__file__).parents[2]
    run = [sys.executable, "-c", script, str(tmp_path), str(hang)]
    subprocess.run([*run, "1"], cwd=root, check=True, stdout=subprocess.DEVNULL)
    hang.touch()
    with subprocess.Popen([*run, "2"], cwd=root, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert any(line == "hangs\n" for line in process.stdout)
        second = subprocess.run([*run, "2"], cwd=root, check=False, capture_output=True, text=True)
        assert "another `daemon install` is building" in second.stderr
        process.send_signal(signal.SIGKILL)
    assert (tmp_path / "venv").readlink() == Path("venv-1")
    hang.unlink()
    done = subprocess.run([*run, "2"], cwd=root, check=True, capture_output=True, text=True)
    assert f"resuming the interrupted build of {tmp_path}/venv-2" in done.stdout
    assert (tmp_path / "venv").readlink() == Path("venv-2")


def test_what_outlives_a_killed_build_keeps_the_lock(tmp_path: Path) -> None:
    """While the pip of a build that was killed still installs, nobody else builds there."""
    script = (
        "import pathlib, sys\n"
        "from memory_mcp.provision.process import SystemRunner\n"
        "from memory_mcp.provision.versions import Versions\n"
        "with Versions(pathlib.Path(sys.argv[1])).locked():\n"
        "    SystemRunner().stream('sh', '-c', 'echo $$; exec sleep 60')\n"
    )
    versions = Versions(tmp_path / "venv")
    run = [sys.executable, "-c", script, str(versions.place)]
    with subprocess.Popen(run, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        pip = int(process.stdout.readline())
        process.kill()
        process.wait()
        with pytest.raises(ProvisionError, match="another `daemon install` is building"), versions.locked():
            pass
        os.kill(pip, signal.SIGKILL)
    until(lambda: can_lock(versions), "the lock is free")


def can_lock(versions: Versions) -> bool:
    """Say whether nobody builds there."""
    with suppress(ProvisionError), versions.locked():
        return True
    return False


def test_an_environment_of_an_earlier_version_gives_way(fake: tuple[Builder, FakePython]) -> None:
    """A folder of ours where the link belongs is replaced when the new one is finished."""
    builder, _ = fake
    builder.place.mkdir()
    (builder.place / STAMP).write_text(json.dumps({"environment": "old"}), encoding="utf-8")
    assert builder.build()
    assert used(builder).folder.name == "venv-1"


def test_a_foreign_folder_is_left_alone(tmp_path: Path) -> None:
    """`--venv` with the wrong folder deletes nothing."""
    place = tmp_path / "mine"
    place.mkdir()
    (place / "thesis.txt").write_text("years of work", encoding="utf-8")
    builder = Builder(place, Choice(BASE_PYTHON, "3", None, ()), RUNNER, SILENT, make_recipe(tmp_path))
    with pytest.raises(ProvisionError, match="was not built by memory-mcp"):
        builder.versions.remove()
    with pytest.raises(ProvisionError, match="was not built by memory-mcp"):
        builder.build()
    assert (place / "thesis.txt").exists()
    link = tmp_path / "link"
    link.symlink_to("mine")
    with pytest.raises(ProvisionError, match="was not built by memory-mcp"):
        replace(builder, place=link).build()
    assert link.is_symlink()


def test_digests_name_the_file(tmp_path: Path) -> None:
    """A missing model file is one line with its path."""
    with pytest.raises(ProvisionError, match="weights cannot be read"):
        verify_digests(tmp_path, {"weights": "0" * 64})


def test_missing_requirements_are_one_line(tmp_path: Path) -> None:
    """An incomplete installation says how to fix it."""
    choice = Choice(BASE_PYTHON, "3", None, ())
    builder = Builder(tmp_path / "venv", choice, RUNNER, SILENT, Recipe(tmp_path / "absent.txt"))
    with pytest.raises(ProvisionError, match="reinstall memory-mcp"):
        builder.build()


def test_pip_that_fails_is_one_line(tmp_path: Path) -> None:
    """The command and its exit code are named."""
    with pytest.raises(ProvisionError, match=r"`.*false` failed with exit code 1"):
        RUNNER.stream("false")
    with pytest.raises(ProvisionError, match="cannot start"):
        RUNNER.stream(str(tmp_path / "absent"))
