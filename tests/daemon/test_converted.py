"""Conversions on disk: made by one process at a time, and what is broken off leaves nothing for long."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from embedder_daemon.engines import converted, golden
from embedder_daemon.engines.converted import EngineFormat
from embedder_daemon.engines.golden import GoldenVectors
from embedder_daemon.errors import LoadError
from embedder_daemon.model import discovery
from embedder_daemon.model.space import ModelFiles
from tests.daemon import modelfiles
from tests.daemon.converting import KIND, make_interpreter
from tests.daemon.daemonkit import Process, until

Convert = Callable[[ModelFiles, EngineFormat, Path], None]
TOGETHER_S = 0.5


@pytest.fixture
def files(folder: Path) -> ModelFiles:
    """Write a tiny model."""
    return discovery.find(str(modelfiles.write(folder / "model")))


def test_a_daemon_killed_while_it_converts_is_followed_by_one_that_serves(
    start: Callable[..., Process], folder: Path, files: ModelFiles
) -> None:
    """The converter ends with its daemon, and the next one serves from a whole conversion with nothing beside it."""
    pid, parent = folder / "pid", converted.place(files, KIND).parent
    surroundings = {"FILES": files.dump(), "CONVERTER": str(pid), "CHILDREN": str(make_interpreter(folder / "env"))}
    first = start("--engine", "hash", module="tests.daemon.converting", HANGS="1", **surroundings)
    until(lambda: pid.exists() and pid.read_text(), "it converts")
    assert [path.name.partition("-")[0] for path in parent.iterdir() if path.is_dir()] == ["unfinished"]
    first.popen.kill()
    until(lambda: not _lives(int(pid.read_text())), "the converter ended")
    second = start("--engine", "hash", module="tests.daemon.converting", **surroundings)
    assert second.ready().embed("a text").dimensions == 384
    assert [path for path in parent.iterdir() if path.is_dir()] == [converted.place(files, KIND)]
    assert converted.is_sound(converted.place(files, KIND), KIND)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2] if Path("/proc").is_dir() else True


def convert(files: ModelFiles, kind: EngineFormat, target: Path) -> None:
    """Convert without a process."""
    for name in kind.files:
        (target / name).write_text(files.space.model)
    converted.seal(target, kind)


def test_of_two_that_convert_at_once_the_slower_takes_what_the_faster_made(
    files: ModelFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One conversion is made, and nobody replaces it."""
    both, made = threading.Barrier(2), []

    def slowly(*arguments: ModelFiles | EngineFormat | Path) -> None:
        made.append(arguments)
        threading.Event().wait(TOGETHER_S)
        convert(*arguments)  # type: ignore[arg-type]  # three of three types

    def ready() -> None:
        both.wait()
        converted.ready(files, KIND)

    monkeypatch.setattr(converted, "_run", slowly)
    threads = [threading.Thread(target=ready) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert converted.is_sound(converted.place(files, KIND), KIND)


def test_a_conversion_takes_away_what_nobody_reads_any_more(files: ModelFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was broken off, and the same model for or by another version; other models and other weights stay."""
    monkeypatch.setattr(converted, "_run", convert)
    place = converted.place(files, KIND)
    half = converted.place(files, replace(KIND, variant="half"))
    other = converted.place(replace(files, space=replace(files.space, weights_sha256="0" * 64)), KIND)
    old = place.with_name(place.name.removesuffix(place.name.rpartition("-")[2]) + "1.0")
    recipe = place.with_name(f"{files.space.weights_sha256[:32]}-{files.head}-1-openvino-1.0")
    for folder in (half, other, old, recipe, place.with_name("unfinished-1")):
        folder.mkdir(parents=True)
    converted.ready(files, KIND)
    assert {path for path in place.parent.iterdir() if path.is_dir()} == {place, half, other}
    shutil.rmtree(place)


@pytest.mark.parametrize("kind", [KIND, converted.ONNX], ids=["versioned", "not"])
@pytest.mark.parametrize("changed", ["config_sha256", "weights_sha256"])
def test_a_changed_model_takes_away_its_older_conversion(
    files: ModelFiles, kind: EngineFormat, changed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That of the same folder goes; those of other folders, of other precisions and with other poolings stay."""
    monkeypatch.setattr(converted, "_run", convert)
    monkeypatch.setattr(converted, "_version", lambda _: "1.0")
    now = replace(files, space=replace(files.space, **{changed: "f" * 64}))  # type: ignore[arg-type]  # a digest
    twin = replace(files, folder=files.folder.parent / "twin", space=replace(files.space, **{changed: "e" * 64}))  # type: ignore[arg-type]  # a digest
    cut = replace(files, space=replace(files.space, pooling="mean"))
    half = replace(kind, variant="half")
    old, *others = [converted.ready(*made) for made in ((files, kind), (twin, kind), (cut, kind), (files, half))]
    new = converted.ready(now, kind)
    assert {path for path in new.parent.iterdir() if path.is_dir()} == {new, *others}
    assert old not in others


def test_the_models_own_graph_is_read_only_where_it_is_compared(files: ModelFiles) -> None:
    """No digest has it: without golden vectors of its space it is refused, in a sentence that says so."""
    kind = replace(KIND, own="onnx/model.onnx")
    own = files.folder / kind.own
    own.parent.mkdir()
    own.write_text("graph")
    with pytest.raises(
        LoadError, match=r"onnx/model\.onnx is not covered by a digest.*python -I -m embedder_daemon\.autotune"
    ):
        converted.graph(files, kind)
    golden.keep(GoldenVectors(files.space.space_id, (), ()), files.space)
    assert converted.graph(files, kind) == own


def test_a_cache_that_cannot_be_written_is_told(files: ModelFiles) -> None:
    """It is one sentence that names the folder."""
    place = converted.place(files, KIND)
    place.parent.parent.mkdir(parents=True)
    place.parent.write_text("no folder")
    with pytest.raises(LoadError, match=r"could not be written to .*converted"):
        converted.ready(files, KIND)
