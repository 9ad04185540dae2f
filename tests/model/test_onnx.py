"""What only onnx has: the model's own file, a conversion without a version, pooling of its own."""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from embedder_daemon.engines import converted, factory, golden
from embedder_daemon.engines.base import EngineOptions
from embedder_daemon.engines.converted import ONNX
from embedder_daemon.errors import EngineMissingError, LoadError
from embedder_daemon.model import discovery
from embedder_daemon.model.space import ModelFiles
from memory_common.pins import BUNDLED_MODEL
from tests.model.conftest import running

np = pytest.importorskip("numpy")  # the light interpreter collects this file too
pytest.importorskip("onnxruntime")


@pytest.fixture(scope="module")
def files() -> ModelFiles:
    """Find the bundled model."""
    return discovery.find(BUNDLED_MODEL)


@pytest.fixture
def graph(cache_home: Path, files: ModelFiles, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a conversion in the session's cache folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache_home))
    return converted.graph(files, ONNX)


@pytest.fixture
def without_torch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let no conversion succeed: the process that converts finds a torch that says it is not there.

    Children run isolated (-I), which would hide that torch; a wrapper around the interpreter drops the flag.
    """
    missing = "raise ModuleNotFoundError(\"No module named 'torch'\", name='torch')\n"
    (tmp_path / "site" / "torch").mkdir(parents=True)
    (tmp_path / "site" / "torch" / "__init__.py").write_text(missing)
    program = tmp_path / "python"
    program.write_text(f'#!/bin/sh\n[ "$1" = -I ] && shift\nexec "{sys.executable}" "$@"\n')
    program.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(program))
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path / 'site'}:{':'.join(sys.path)}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_a_model_that_brings_its_file_needs_no_torch(
    graph: Path, files: ModelFiles, tmp_path: Path, without_torch: None
) -> None:
    """A folder's own onnx/model.onnx serves where nothing can be converted, with the same vectors."""
    folder = Path(shutil.copytree(files.folder, tmp_path / "model"))
    (folder / "onnx").mkdir()
    shutil.copy(graph, folder / "onnx" / "model.onnx")
    worst = golden.check(factory.create("onnx", EngineOptions(), replace(files, folder=folder)))
    assert worst is not None
    assert worst > 0.99999
    assert not (tmp_path / "cache").exists()


def test_without_a_file_and_torch_it_is_told(files: ModelFiles, without_torch: None) -> None:
    """It is exit code 14, in one sentence that says what to install."""
    with pytest.raises(EngineMissingError, match=r"needs torch and onnx: .* pip install onnx==1\.23\.2") as caught:
        factory.create("onnx", EngineOptions(), files)
    assert caught.value.exit_code == 14
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"no graph"])
def test_a_damaged_file_of_the_model_is_told(content: bytes, files: ModelFiles, tmp_path: Path) -> None:
    """What onnxruntime cannot read is exit code 15 and names the folder."""
    folder = Path(shutil.copytree(files.folder, tmp_path / "model"))
    (folder / "onnx").mkdir()
    (folder / "onnx" / "model.onnx").write_bytes(content)
    with pytest.raises(LoadError, match="onnxruntime could not load the model"):
        factory.create("onnx", EngineOptions(), replace(files, folder=folder))


@pytest.mark.parametrize(
    ("options", "fix"), [({"device": "cuda"}, "DEVICE=auto"), ({"precision": "bfloat16"}, "PRECISION=auto")]
)
def test_what_it_cannot_is_refused(options: dict[str, str], fix: str, files: ModelFiles) -> None:
    """Another device and another precision are refused with the setting that fixes it."""
    with pytest.raises(LoadError, match=f"set EMBEDDER_{fix}"):
        factory.create("onnx", EngineOptions(**options), files)  # type: ignore[arg-type]  # threads is a number


def test_cls_pooling_takes_the_first_token() -> None:
    """The mean leaves padding out, cls takes the first token, and what is cut of them is of length 1."""
    from embedder_daemon.engines.onnx_engine import pool  # noqa: PLC0415 - its library is optional

    hidden = np.array([[[3.0, 4.0], [4.0, 3.0], [100.0, 0.0]]], dtype=np.float32)
    mask = np.array([[1, 1, 0]])
    assert pool(hidden, mask, "cls", 2).tolist() == pytest.approx(np.array([[0.6, 0.8]]))
    assert pool(hidden, mask, "mean", 2) == pytest.approx(np.array([[0.5**0.5, 0.5**0.5]]))
    assert pool(hidden, mask, "cls", 1).tolist() == [[1.0]]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_no_torch_is_in_the_process(cache_home: Path, graph: Path) -> None:
    """A daemon that serves from onnxruntime maps no library of torch, transformers or openvino."""
    with running(cache_home, "onnx", "float32") as daemon:
        daemon.ready().embed("a text")
        maps = Path(f"/proc/{daemon.process.pid}/maps").read_text()
        assert "onnxruntime" in maps
        assert [word for word in ("libtorch", "/torch/", "transformers", "openvino") if word in maps] == []
