"""What the user set for pip and for other Pythons, and an index of small wheels: real environments, real pip."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from memory_common.pins import TORCH
from memory_mcp.provision import builds, pip
from memory_mcp.provision.builds import GB, Build
from memory_mcp.provision.environment import Builder
from memory_mcp.provision.errors import ProvisionError
from memory_mcp.provision.interpreter import Choice
from memory_mcp.provision.pip import Pip
from memory_mcp.provision.process import SystemRunner
from memory_mcp.provision.progress import Lines
from memory_mcp.provision.versions import Environment
from tests.provision.conftest import BASE_PYTHON, make_wheel
from tests.provision.test_environment import make_recipe

OTHER_DISK = Path("/dev/shm")  # noqa: S108 - nothing is written there

HARMFUL = {
    "PIP_USER": "1",
    "PIP_TARGET": "{elsewhere}",
    "PIP_PREFIX": "{elsewhere}",
    "PIP_ROOT": "{elsewhere}",
    "PIP_DRY_RUN": "1",
    "PIP_REQUIRE_HASHES": "1",
    "PIP_CONSTRAINT": "{elsewhere}/none.txt",
    "PIP_REQUIREMENT": "{elsewhere}/none.txt",
    "PIP_EDITABLE": "{elsewhere}",
    "PIP_NO_BINARY": ":all:",
    "PIP_ONLY_BINARY": ":none:",
    "PIP_NO_DEPS": "1",
    "PIP_REQUIRE_VIRTUALENV": "1",
    "PIP_PYTHON": "{elsewhere}/python",
    "PIP_PLATFORM": "win32",
    "PIP_ABI": "none",
    "PIP_REPORT": "{elsewhere}/report",
    "PIP_LOG": "{elsewhere}/log",
    "PIP_QUIET": "3",
    "PIP_VERBOSE": "3",
    "PIP_UPGRADE": "1",
    "PIP_IGNORE_REQUIRES_PYTHON": "nonsense",
    "PIP_NO_SUCH_OPTION": "1",
    "PYTHONPATH": "{elsewhere}",
    "PYTHONHOME": "{elsewhere}",
    "PYTHONOPTIMIZE": "2",
    "PYTHONWARNINGS": "error",
    "PYTHONINSPECT": "1",
    "PYTHONUSERBASE": "{elsewhere}",
    "PYTHONPLATLIBDIR": "nowhere",
    "PYTHONEXECUTABLE": "/bin/false",
    "__PYVENV_LAUNCHER__": "/bin/false",
}


def hush(line: str) -> None:
    """Show nothing."""


TRAPS = ("random", "secrets", "calendar", "venv", "ensurepip", "json", "torch")


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a working folder of traps: modules that nobody may import."""
    folder = tmp_path / "else where"
    folder.mkdir()
    for name in TRAPS:
        (folder / f"{name}.py").write_text(f"open({str(folder / 'sprung')!r}, 'a').write({name!r})\nraise SystemExit\n")
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make the only source of packages that pip knows: a folder with wheels."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home" / ".config"))
    monkeypatch.setenv("XDG_CONFIG_DIRS", str(tmp_path / "xdg"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    (tmp_path / "index").mkdir()
    return tmp_path / "index"


@pytest.fixture(scope="module")
def interpreter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make an environment with pip."""
    folder = tmp_path_factory.mktemp("env") / "venv"
    subprocess.run([BASE_PYTHON, "-I", "-m", "venv", folder], check=True)
    return folder / "bin" / "python"


@pytest.fixture
def own_pip(interpreter: Path, tmp_path: Path) -> Iterator[Pip]:
    """Return pip of that environment, and forget afterwards what it installed."""
    yield Pip(interpreter, SystemRunner(), tmp_path / "log")
    for found in Environment(interpreter.parents[1]).site_packages.glob("torch*"):
        shutil.rmtree(found) if found.is_dir() else found.unlink()


def add_torch(index: Path, version: str = TORCH, requires: str = "") -> None:
    """Put a build of torch into the index."""
    make_wheel(index, "torch", {"torch/__init__.py": ""}, version=version, requires=requires)


def make_builder(tmp_path: Path, index: Path) -> tuple[Builder, list[str]]:
    """Return what builds an environment of the index's wheels, and what it says."""
    said: list[str] = []
    add_torch(index)
    choice = Choice(BASE_PYTHON, "3", None, ())
    return Builder(
        tmp_path / "a $HOME `id` 100%", choice, SystemRunner(), Lines(said.append), make_recipe(tmp_path)
    ), said


def test_nothing_of_the_users_decides_where_and_how(
    tmp_path: Path, index: Path, elsewhere: Path, as_installed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With every setting that misdirects pip or Python, and modules in the way, the environment is built as always."""
    for name, value in HARMFUL.items():
        monkeypatch.setenv(name, value.format(elsewhere=elsewhere))
    builder, said = make_builder(tmp_path, index)
    assert builder.build()
    environment = builder.versions.current()
    assert environment is not None
    assert (environment.site_packages / "torch" / "__init__.py").is_file()
    assert (environment.site_packages / "needs_torch.py").is_file()
    assert sorted(path.name for path in elsewhere.iterdir()) == sorted(f"{name}.py" for name in TRAPS)
    done = subprocess.run([environment.program], capture_output=True, text=True, check=False)
    assert "ModuleNotFoundError: No module named" in done.stderr  # what this recipe leaves out, and no trap
    assert not (elsewhere / "sprung").exists()
    assert "copying the daemon's code" in said


@pytest.mark.parametrize(
    ("where", "text"),
    [
        ("home/.config/pip/pip.conf", "[global]\n{sources}\nuser = true\n"),
        ("xdg/pip/pip.conf", "[global]\nquiet = 3\npython = /nowhere\n[install]\ntarget = /nowhere\n{sources}\n"),
        ("named.conf", "[global]\nfind-links = /weaker\n[install]\n{sources}\ndry-run = true\n"),
    ],
)
def test_pips_own_files_say_where_packages_come_from(
    tmp_path: Path, index: Path, own_pip: Pip, monkeypatch: pytest.MonkeyPatch, where: str, text: str
) -> None:
    """Of every file that pip reads, the sources count, and nothing else."""
    add_torch(index)
    for name in ("PIP_NO_INDEX", "PIP_FIND_LINKS"):
        monkeypatch.delenv(name)
    file = tmp_path / where
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text.format(sources=f"no-index = true\nfind_links =\n  {index}\n  /nowhere/else"))
    if where == "named.conf":
        monkeypatch.setenv("PIP_CONFIG_FILE", str(file))
    own_pip.install(hush, f"torch=={TORCH}")
    assert (Environment(own_pip.python.parents[1]).site_packages / "torch").is_dir()


def test_a_variable_is_stronger_than_a_file(
    tmp_path: Path, index: Path, own_pip: Pip, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it is to pip itself; an empty variable is none, and of pip's features truststore alone is a source."""
    file = tmp_path / "home" / ".config" / "pip" / "pip.conf"
    file.parent.mkdir(parents=True)
    file.write_text("[global]\nfind-links = /weaker\ncert = /my.pem\nproxy = p:1\nuse-feature = fast-deps truststore\n")
    monkeypatch.setenv("PIP_CERT", "")
    monkeypatch.setenv("PIP_PROXY", "q:2")
    assert dict(own_pip._variables.items() - pip.OURS.items()) == {
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(index),
        "PIP_CERT": "/my.pem",
        "PIP_PROXY": "q:2",
        "PIP_USE_FEATURE": "truststore",
    }


def test_a_broken_file_of_pips_is_named(tmp_path: Path, index: Path, own_pip: Pip) -> None:
    """With what pip says of it."""
    file = tmp_path / "home" / ".config" / "pip" / "pip.conf"
    file.parent.mkdir(parents=True)
    file.write_text("[global\n")
    with pytest.raises(ProvisionError, match=r"pip cannot read its own settings: .*no section headers.*pip\.conf"):
        own_pip.plan(hush, "torch")


def test_a_password_in_an_index_is_on_no_command_line(
    index: Path, own_pip: Pip, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It reaches pip in a variable, and neither the log nor the error."""
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", "http://me:sesame@127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    with pytest.raises(ProvisionError, match="No matching distribution") as caught:
        own_pip.install(hush, "torch==9.9")
    assert "sesame" not in str(caught.value) + own_pip.log.read_text()
    assert f"(the whole output is in {own_pip.log})" in str(caught.value)


def test_every_source_is_an_option_of_pips(interpreter: Path) -> None:
    """Those that pip does not show in its help are older names, or what only newer ones know."""
    shown = subprocess.check_output([interpreter, "-I", "-m", "pip", "install", "--help"], text=True)
    hidden = {"pypi-url", "default-timeout", "keyring-provider", "resume-retries"}
    assert {name for name in pip.SOURCES if f"--{name}" not in shown} <= hidden


@pytest.mark.parametrize(
    ("held", "gpu", "requirement", "objected"),
    [
        ({TORCH: ""}, False, f"torch=={TORCH}", False),
        ({TORCH: "nvidia-cublas"}, False, f"torch=={TORCH}", True),
        ({f"{TORCH}+cu126": ""}, False, f"torch=={TORCH}", True),
        ({f"{TORCH}+cpu": "", TORCH: "nvidia-cublas"}, False, f"torch=={TORCH}", False),
        ({f"{TORCH}+cpu": "", f"{TORCH}+cu126": "triton"}, False, f"torch=={TORCH}+cpu", False),
        ({f"{TORCH}+cpu": "", f"{TORCH}+cu126": "triton"}, True, f"torch=={TORCH}", False),
    ],
)
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is no build with CUDA")
def test_the_build_for_the_cpu_is_taken(
    held: dict[str, str],
    gpu: bool,  # noqa: FBT001 - a table's column
    requirement: str,
    objected: bool,  # noqa: FBT001 - likewise
    index: Path,
    own_pip: Pip,
) -> None:
    """Where nothing can use CUDA, and the index has one without; else there is an objection that names the size."""
    for version, requires in held.items():
        add_torch(index, version, requires)
    for name in ("nvidia_cublas", "triton"):
        make_wheel(index, name, {f"{name}.py": ""})
    build = builds.choose(own_pip, hush, TORCH, gpu=gpu)
    assert (build.requirement, bool(build.objection)) == (requirement, objected)
    assert not objected or "5.4 GB instead of 1.8 GB" in build.objection


def test_an_objection_that_is_shared_ends_the_installation(tmp_path: Path, index: Path, as_installed: None) -> None:
    """Nothing was downloaded then; whoever agrees gets the build with CUDA."""
    make_wheel(index, "nvidia_cublas", {"nvidia.py": ""})
    builder, _ = make_builder(tmp_path, index)
    add_torch(index, requires="nvidia-cublas")

    def refuse(objection: str) -> None:
        raise ProvisionError(objection)

    with pytest.raises(ProvisionError, match="this machine has no NVIDIA device"):
        replace(builder, agree=refuse, has_gpu=lambda: False).build()
    (unfinished,) = builder.versions.abandoned()
    assert not (unfinished.site_packages / "torch").exists()
    assert replace(builder, has_gpu=lambda: False).build()


def test_an_index_without_that_torch_is_told(index: Path, own_pip: Pip) -> None:
    """In pip's own words, with the log that has them all, and what may help."""
    told = f"pip cannot find PyTorch {TORCH}: pip failed: .*No matching distribution found .*{own_pip.log}.* --python"
    with pytest.raises(ProvisionError, match=told):
        builds.choose(own_pip, hush, TORCH, gpu=False)


@pytest.mark.parametrize(
    ("build", "fix"),
    [(Build("", 1e9 * GB, 0), "--venv"), (Build("", 0, 1e9 * GB), "TMPDIR|--venv")],
    ids=["the environment", "the download"],
)
def test_what_has_no_room_is_refused_before(tmp_path: Path, build: Build, fix: str) -> None:
    """With what is free, what is needed, where, and what to do."""
    with pytest.raises(ProvisionError, match=rf"has \d+\.\d GB free, but .* needs 1000000000\.\d GB there; .*({fix})"):
        builds.require_room(tmp_path / "not yet" / "there", build)
    builds.require_room(tmp_path / "not yet" / "there", Build("", 1.0, 1.0))


def test_pips_cache_needs_room_too(interpreter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is downloaded is kept there once more, wherever the user has it; not where pip keeps nothing."""
    monkeypatch.setenv("PIP_CACHE_DIR", str(tmp_path / "cache"))
    cache = Pip(interpreter, SystemRunner(), tmp_path / "log").cache()
    assert cache == tmp_path / "cache"
    half = shutil.disk_usage(tmp_path).free * 0.6
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    builds.require_room(tmp_path / "env", Build("", 0, half))
    with pytest.raises(ProvisionError, match=r"needs .* there"):
        builds.require_room(tmp_path / "env", Build("", 0, half), cache)
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    assert Pip(interpreter, SystemRunner(), tmp_path / "log").cache() is None


def test_a_cache_on_a_full_disk_is_named(tmp_path: Path) -> None:
    """With the variable that does without it; the environment and the download have room."""
    build = Build("", 0, shutil.disk_usage(OTHER_DISK).free + GB)
    if shutil.disk_usage(tmp_path).free < build.fetched or OTHER_DISK.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("this machine has no second disk with less room than the first")
    with pytest.raises(ProvisionError, match=rf"the disk of {OTHER_DISK}/pip .* PIP_NO_CACHE_DIR=1"):
        builds.require_room(tmp_path / "env", build, OTHER_DISK / "pip")
