"""The engine's choice: what was measured, the golden check, and what is told when nothing was measured."""

from __future__ import annotations

import json
import stat
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from embedder_api.v1 import wire

from embedder_daemon import settings
from embedder_daemon.autotune import __main__ as autotune
from embedder_daemon.autotune import compare
from embedder_daemon.engines import autotune_result, cache, golden
from embedder_daemon.engines.autotune_result import AutotuneResult, Figure
from embedder_daemon.engines.base import EmbedTask, Encoded, EngineOptions
from embedder_daemon.engines.hash_engine import HashEngine
from embedder_daemon.errors import LoadError
from embedder_daemon.model import discovery
from embedder_daemon.system import processors
from memory_common import engines, pins
from tests.daemon import modelfiles
from tests.daemon.daemonkit import Process
from tests.daemon.test_process import _last

SPACE = HashEngine.facts.space
HERE = autotune_result.conditions(SPACE, EngineOptions())
FAST = Figure("openvino", "bfloat16", short_ms=1.0, texts_per_s=300.0, worst_cosine=0.9999)
EXACT = Figure("openvino", "float32", short_ms=2.0, texts_per_s=200.0, worst_cosine=1.0)
PLAIN = Figure("torch", "float32", short_ms=6.0, texts_per_s=100.0, worst_cosine=1.0)


def measured(*figures: Figure) -> AutotuneResult:
    """Make a result of this machine."""
    return AutotuneResult(HERE, "2026-11-20", figures)


@pytest.mark.parametrize(
    ("engine", "precision", "wanted"),
    [
        ("auto", "auto", ("openvino", "bfloat16")),
        ("auto", "float32", ("openvino", "float32")),
        ("torch", "auto", ("torch", "float32")),
        ("openvino", "auto", ("openvino", "bfloat16")),
    ],
)
def test_auto_is_the_fastest_that_fits(engine: str, precision: str, wanted: tuple[str, str]) -> None:
    """Of the candidates that fit what was set the fastest is chosen, in whatever order they were measured."""
    for figures in ([FAST, EXACT, PLAIN], [PLAIN, EXACT, FAST]):
        choice = autotune_result.choose(measured(*figures), engine, precision, "torch")
        assert (choice.engine, choice.precision, choice.measured) == (*wanted, True)
        assert "2026-11-20" in choice.reason


@pytest.mark.parametrize(
    "bad", [{"worst_cosine": 0.9994}, {"worst_cosine": float("nan")}, {"error": "not finished after 90 s"}]
)
def test_what_did_not_pass_is_never_chosen(bad: dict[str, float]) -> None:
    """A candidate with a low cosine, with NaN or with an error loses to a slower one."""
    failed = Figure(**{**{name: getattr(FAST, name) for name in Figure.__slots__}, **bad})
    choice = autotune_result.choose(measured(failed, PLAIN), "auto", "auto", "torch")
    assert (choice.engine, choice.precision) == ("torch", "float32")
    assert autotune_result.pick([failed], "auto", "auto") is None


def test_unmeasured_it_is_the_fallback_and_says_so() -> None:
    """Nothing measured, or nothing that fits: torch as float32 or what was set, with the command that fixes it."""
    for known in (None, measured(), measured(replace(PLAIN, error="gone"))):
        choice = autotune_result.choose(known, "auto", "auto", "torch")
        assert (choice.engine, choice.precision, choice.measured) == ("torch", "float32", False)
        assert "python -I -m embedder_daemon.autotune" in choice.reason
        assert (choice.reason == autotune_result.UNMEASURED) == (known is None)  # the daemon measures where nothing was
    set_ = autotune_result.choose(None, "openvino", "bfloat16", "torch")
    assert (set_.engine, set_.precision) == ("openvino", "bfloat16")


def test_a_result_comes_back_as_it_was_written() -> None:
    """It lies in the cache folder, for its user alone, and nothing else is left there."""
    written = measured(FAST, EXACT, replace(PLAIN, error="a sentence: with ümlauts"))
    file = autotune_result.write(written)
    assert autotune_result.read(HERE) == written
    assert file.is_relative_to(cache.folder())
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in file.parent.iterdir()] == [file.name]


@pytest.mark.parametrize(
    "changed",
    [
        {"machine": "another"},
        {"versions": {"openvino": "1"}},
        {"space_id": "other"},
        {"device": "mps"},
        {"threads": 99},
    ],
)
def test_a_result_of_something_else_is_none(changed: dict[str, str]) -> None:
    """Another machine, device or model, other versions or threads: it has to be measured again."""
    other = replace(HERE, **changed)  # type: ignore[arg-type]  # the fields have several types
    autotune_result.write(replace(measured(FAST), conditions=other)).rename(autotune_result.path(HERE))
    assert autotune_result.read(HERE) is None


def test_zero_threads_are_as_many_as_there_are() -> None:
    """What is left to the daemon is measured as what it means, and each setting has a file of its own."""
    cores = autotune_result.conditions(SPACE, EngineOptions(threads=processors.usable()))
    assert cores == HERE
    more = autotune_result.conditions(SPACE, EngineOptions(threads=cores.threads + 1))
    mps = autotune_result.conditions(SPACE, EngineOptions(device="mps"))
    assert len({autotune_result.path(HERE), autotune_result.path(more), autotune_result.path(mps)}) == 3


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"figures": [{"engine": 1}]}', '{"figures": [], "date": ""}'])
def test_a_damaged_result_is_none(text: str) -> None:
    """What cannot be read is as if it had never been written."""
    file = autotune_result.path(HERE)
    file.parent.mkdir(parents=True)
    file.write_text(text)
    assert autotune_result.read(HERE) is None


class Skewed(HashEngine):
    """Its vectors are right until it is told which batches it spoils."""

    spoils: Callable[[Sequence[Encoded]], bool] = staticmethod(lambda _: False)

    def forward(self, batch: Sequence[Encoded]) -> list[bytes]:
        """Return the rows, or their neighbours."""
        rows = super().forward(batch)
        return [row[4:] + row[:4] for row in rows] if self.spoils(batch) else rows


def test_the_golden_check_sees_wrong_vectors() -> None:
    """Vectors that are wrong alone, or only in a batch, or no numbers, refuse the engine; right ones pass."""
    engine = Skewed()
    assert golden.check(engine) is None  # there is nothing to compare with
    golden.keep(golden.make(engine, golden.texts()), SPACE)
    worst = golden.check(engine)
    assert worst is not None
    assert worst > 0.9999999
    for spoils in (lambda batch: len(batch) == 1, lambda batch: len(batch) > 1):
        engine.spoils = spoils
        with pytest.raises(LoadError, match=r"computes wrong vectors: cosine -?0") as caught:
            golden.check(engine)
        assert caught.value.exit_code == 15


@pytest.mark.parametrize("row", [3, 31])
def test_the_golden_check_sees_one_nan_among_many(row: int) -> None:
    """A vector that is no number is wrong wherever it stands, and so is a short text's beside a long one."""
    golden.keep(golden.make(HashEngine(), golden.texts()), SPACE)
    poison = HashEngine().encode(golden.texts(), EmbedTask.DOCUMENT)[row].ids

    class Spotted(HashEngine):
        def forward(self, batch: Sequence[Encoded]) -> list[bytes]:
            rows = zip(batch, super().forward(batch), strict=True)
            return [wire.pack([float("nan")] * 384) if text.ids == poison else row for text, row in rows]

    with pytest.raises(LoadError, match="wrong vectors"):
        golden.check(Spotted())


def test_the_golden_check_puts_short_texts_beside_long_ones() -> None:
    """An engine that spoils what is mostly padding does not pass."""
    engine = Skewed()
    golden.keep(golden.make(engine, golden.texts()), SPACE)
    engine.spoils = lambda batch: min(len(text.ids) for text in batch) * 20 < max(len(text.ids) for text in batch)
    with pytest.raises(LoadError, match="wrong vectors"):
        golden.check(engine)


class Broken(HashEngine):
    """Returns NaN."""

    def forward(self, batch: Sequence[Encoded]) -> list[bytes]:
        """Return rows that are no numbers."""
        return [wire.pack([float("nan")] * 384) for _ in batch]


def test_the_golden_check_sees_nan() -> None:
    """NaN is under every bound."""
    golden.keep(golden.make(HashEngine(), golden.texts()), SPACE)
    with pytest.raises(LoadError, match="wrong vectors"):
        golden.check(Broken())


def test_the_shipped_golden_texts_have_all_lengths() -> None:
    """There are 32 different ones, ordered by length, and their vectors have length 1."""
    shipped = golden._parse(golden._SHIPPED.read_text(encoding="utf-8"))
    lengths = [encoded.token_count for encoded in HashEngine().encode(shipped.texts, EmbedTask.DOCUMENT)]
    assert len(set(shipped.texts)) == len(shipped.vectors) == 32
    assert (min(lengths), max(lengths) > 150) == (1, True)
    for vector in shipped.vectors:
        assert len(vector) == 384
        assert abs(sum(value * value for value in vector) - 1.0) < 1e-3


@pytest.mark.parametrize("engine", ["openvino", "auto"])
def test_a_missing_openvino_is_told(engine: str, start: Callable[..., Process], folder: Path) -> None:
    """It is exit code 14, in one sentence that says what to install; without torch, auto is what there is."""
    site = folder / "site"
    for name in ("openvino", "numpy", "tokenizers"):
        (site / name).mkdir(parents=True)
        (site / name / "__init__.py").write_text("int64 = None\nEncoding = None\n")
    (site / "numpy" / "typing.py").write_text("NDArray = dict\n")
    missing = "raise ModuleNotFoundError(\"No module named 'openvino'\", name='openvino')"
    (site / "openvino" / "__init__.py").write_text(missing)
    process = start("--engine", engine, "--model", str(modelfiles.write(folder / "model")), python_path=str(site))
    assert process.wait() == 14
    assert f"pip install {pins.OPENVINO}" in str(_last(process)["event"])


def test_nothing_to_measure_is_one_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A model that is not there ends the measurement with its exit code and no traceback."""
    assert autotune.main(["--model", str(folder / "absent")]) == 12
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert autotune.main(["--no-such-setting"]) == 2


LATE = json.dumps(asdict(Figure("torch", "bfloat16", error="300 ms for one short text; not measured further")))


@pytest.mark.parametrize("deed", ["exec sleep 20", f"sleep 0.3; echo '{LATE}'"])
def test_beside_other_programs_what_was_too_slow_is_no_result(
    deed: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the background a candidate that waited for the processors ends it, and nothing is written; else it is."""
    known = discovery.find(str(modelfiles.write(folder / "model")))
    program = folder / "python"
    measure = f"case \"$*\" in *measure*float32*) echo '{json.dumps(asdict(PLAIN))}';; *measure*) {deed};; esac"
    program.write_text(f"#!/bin/sh\n{measure}\n")
    program.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(program))
    monkeypatch.setattr(compare, "_CANDIDATE_S", 1.0)
    arguments = ["--model", str(folder / "model"), "--device", "cpu"]
    here = autotune_result.conditions(known.space, EngineOptions(device="cpu"))
    with pytest.raises(LoadError, match="the next start measures again"):
        compare.compare(settings.load(arguments), arguments, in_background=True)
    assert autotune_result.read(here) is None
    compare.compare(settings.load(arguments), arguments, in_background=False)
    written = autotune_result.read(here)
    assert written is not None
    assert autotune_result.pick(written.figures, "auto", "auto") == PLAIN
    monkeypatch.setattr(compare, "_STARVED", 0.0)  # as if it had had them to itself: it is slow for good
    compare.compare(settings.load(arguments), arguments, in_background=True)


def test_float16_is_measured_where_there_may_be_a_gpu() -> None:
    """It is a candidate on what is no CPU, and it can be set."""
    assert ("torch", "float16") in engines.candidates(gpu=True)
    assert ("torch", "float16") not in engines.candidates(gpu=False)
    assert settings.load(["--precision", "float16"]).precision == "float16"


def test_a_line_says_what_was_measured() -> None:
    """A candidate that passed shows its figures, one that did not shows why."""
    assert compare._line(FAST) == "  openvino bfloat16: 1.0 ms for a short text, 300 texts/s, cosine 0.999900"
    assert compare._line(replace(FAST, worst_cosine=0.9)).endswith("too low")
    assert compare._line(replace(PLAIN, error="no torch")) == "  torch float32: no torch"
