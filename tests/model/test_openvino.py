"""What only openvino has: a converted model on disk, a process without torch, a result of autotune that chose it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from pathlib import Path

import pytest

from embedder_daemon.engines import autotune_result, cache, converted, golden
from embedder_daemon.engines.base import EngineOptions
from embedder_daemon.engines.converted import OPENVINO
from embedder_daemon.model import discovery
from embedder_daemon.model.space import ModelFiles
from memory_common import engines, pins
from memory_common.pins import BUNDLED_MODEL
from tests.daemon.daemonkit import until
from tests.model.conftest import Daemon, running

MEASURE_S = 240.0
ORPHAN_S = 4.0  # a conversion, with which a measurement begins, takes 8 s and more


@pytest.fixture(scope="module")
def files() -> ModelFiles:
    """Find the bundled model."""
    return discovery.find(BUNDLED_MODEL)


@pytest.fixture
def own_cache(cache_home: Path, files: ModelFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a converted model in a cache folder of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache_home))
    made = converted.ready(files, OPENVINO)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return Path(shutil.copytree(made, converted.place(files, OPENVINO)))


def test_the_cache_is_named_by_weights_and_version(own_cache: Path, files: ModelFiles) -> None:
    """Other weights or another openvino never meet this conversion, and nothing unfinished lies beside it."""
    assert own_cache.name.startswith(files.space.weights_sha256[:32])
    assert own_cache.name.endswith(pins.OPENVINO.replace("==", "-"))
    assert own_cache.is_relative_to(cache.folder())
    assert [path.name for path in own_cache.parent.iterdir()] == [own_cache.name]


def test_a_damaged_or_partial_cache_is_rebuilt(own_cache: Path, files: ModelFiles) -> None:
    """A flipped bit, a cut file and a missing one are seen, and the next start converts again."""
    sound = (own_cache / converted.DIGESTS).read_bytes()
    graph, weights = (own_cache / name for name in OPENVINO.files)
    assert converted.is_sound(own_cache, OPENVINO)
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 1
    weights.write_bytes(content)
    assert not converted.is_sound(own_cache, OPENVINO)
    weights.write_bytes(content[:1000])
    assert not converted.is_sound(own_cache, OPENVINO)
    graph.unlink()
    assert not converted.is_sound(own_cache, OPENVINO)
    assert converted.is_sound(converted.ready(files, OPENVINO), OPENVINO)
    assert json.loads((own_cache / converted.DIGESTS).read_bytes())[weights.name] in sound.decode()
    assert [path.name for path in own_cache.parent.iterdir()] == [own_cache.name]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_no_torch_is_in_the_process(cache_home: Path, own_cache: Path) -> None:
    """A daemon that serves from openvino maps no library of torch, transformers or sentence-transformers."""
    with running(cache_home, "openvino", "float32") as daemon:
        daemon.ready().embed("a text")
        maps = Path(f"/proc/{daemon.process.pid}/maps").read_text()
        assert "openvino" in maps
        assert [word for word in ("libtorch", "/torch/", "transformers", "sklearn") if word in maps] == []


def test_disturbed_weights_are_refused(own_cache: Path, tmp_path: Path) -> None:
    """A converted model whose digests fit and whose numbers do not is refused at the start, with exit code 15."""
    weights = own_cache / OPENVINO.files[1]
    content = bytearray(weights.read_bytes())
    content[1_000_000:20_000_000] = bytes(19_000_000)  # inside the table of words, which comes first
    weights.write_bytes(content)
    converted.seal(own_cache, OPENVINO)
    with running(tmp_path, "openvino", "float32") as daemon:
        assert daemon.process.wait(60) == 15
        assert "computes wrong vectors: cosine" in daemon.log.read_text()


def test_golden_vectors_are_those_of_torch(daemon: Daemon, files: ModelFiles) -> None:
    """The shipped vectors belong to the bundled model's space."""
    known = golden.find(files.space)
    assert known is not None
    assert known.space_id == daemon.info().space_id == files.space.space_id


def test_auto_measures_beside_its_work(own_cache: Path, tmp_path: Path, files: ModelFiles) -> None:
    """Unmeasured it serves torch as float32 and says so; what it measures meanwhile is the next start's."""
    with running(tmp_path, "auto", "auto") as daemon:
        info = daemon.ready().info()
        assert (info.engine, info.precision) == ("torch", "float32")
        assert "python -I -m embedder_daemon.autotune" in info.versions["choice"]
        until(lambda: "measured in the background: " in daemon.log.read_text(), "it measured", MEASURE_S)
        last = daemon.log.read_text().rpartition("measured in the background: ")[2]
        daemon.embed("a text")
    known = autotune_result.read(autotune_result.conditions(files.space, EngineOptions()))
    assert known is not None
    assert {(figure.engine, figure.precision) for figure in known.figures} == set(
        engines.candidates(gpu=known.conditions.device != "cpu")
    )
    best = autotune_result.pick(known.figures, "auto", "auto")
    assert best is not None
    assert f"EMBEDDER_ENGINE=auto is {best.engine} {best.precision}" in last
    with running(tmp_path, "auto", "auto") as daemon:
        info = daemon.ready().info()
        assert (info.engine, info.precision) == (best.engine, best.precision)
        assert known.date in info.versions["choice"]
        assert "in the background" not in daemon.log.read_text()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_measuring_ends_with_the_daemon(how: signal.Signals, tmp_path: Path) -> None:
    """However the daemon ends, no process of the measurement is left, long before its first step is over."""
    with running(tmp_path, "auto", "auto") as daemon:
        lock = tmp_path / "memory-mcp" / "verdicts" / "measuring.lock"
        until(lambda: lock.exists() and lock.read_text(), "the measurement runs", MEASURE_S)
        group = int(lock.read_text())
        assert _lives(group)
        daemon.process.send_signal(how)
        assert daemon.process.wait(20) in {0, -signal.SIGKILL}
        until(lambda: not _lives(group), "the measurement ended", ORPHAN_S)


def _lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
