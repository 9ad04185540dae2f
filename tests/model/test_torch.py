"""What only torch has: few shapes for MPS, and memory that is out."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from embedder_daemon.engines import factory, golden
from embedder_daemon.engines.base import EmbedTask, Encoded, EngineOptions
from embedder_daemon.errors import LoadError
from embedder_daemon.model import discovery
from memory_common.pins import BUNDLED_MODEL

if TYPE_CHECKING:
    import numpy as np
    import torch

    from embedder_daemon.engines import padding, torch_engine, torch_model
else:
    np = pytest.importorskip("numpy")  # the light interpreter collects this file too
    torch = pytest.importorskip("torch")
    from embedder_daemon.engines import padding, torch_engine, torch_model


@pytest.fixture
def engine() -> torch_engine.TorchEngine:
    """Load the bundled model in this process."""
    return torch_engine.create(EngineOptions(device="cpu"), discovery.find(BUNDLED_MODEL))


@pytest.mark.parametrize("name", ["torch", "openvino"])
def test_float16_is_refused_on_the_cpu(name: str) -> None:
    """It is exit code 15, and says where it is computed and what fixes it."""
    with pytest.raises(LoadError, match=r"float16.*: set EMBEDDER_PRECISION=auto") as caught:
        factory.create(name, EngineOptions(device="cpu", precision="float16"), discovery.find(BUNDLED_MODEL))
    assert caught.value.exit_code == 15


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no cuda")
def test_float16_is_right_where_it_is_computed() -> None:
    """On a GPU its vectors pass the golden check."""
    files, options = discovery.find(BUNDLED_MODEL), EngineOptions(device="cuda", precision="float16")
    engine = factory.create("torch", options, files)
    assert golden.check(engine) is not None
    assert engine.facts.precision == "float16"


def _batch(rows: int, tokens: int) -> list[Encoded]:
    return [Encoded((1,) * tokens, tokens, truncated=False, consumed_chars=0)] * rows


def test_there_are_few_shapes_and_each_holds_its_batch() -> None:
    """Every batch up to 64 rows of up to 300 tokens has room, wastes at most half, and under 150 shapes exist."""
    shapes = set()
    for rows in range(1, 65):
        for tokens in range(1, 301):
            shape = padding.bucketed(_batch(rows, tokens), max_tokens=300)
            assert rows <= shape.rows <= max(2, rows * 1.5)
            assert tokens <= shape.tokens <= max(8, min(300, tokens * 1.5))
            shapes.add(shape)
    assert len(shapes) < 150


def test_padded_rows_change_no_vector(engine: torch_engine.TorchEngine, texts: list[str]) -> None:
    """In the shapes that MPS gets, vectors stay within the tolerance, and padded rows are not returned."""
    encoded = engine.encode(texts[:60], EmbedTask.DOCUMENT)
    for size in (1, 5, 7):
        batches = [encoded[start : start + size] for start in range(0, len(encoded), size)]
        engine._shape = padding.exact
        exact = [np.frombuffer(row, "<f4") for batch in batches for row in engine.forward(batch)]
        engine._shape = partial(padding.bucketed, max_tokens=engine.facts.max_tokens)
        padded = [np.frombuffer(row, "<f4") for batch in batches for row in engine.forward(batch)]
        assert np.abs(np.array(exact) - np.array(padded)).max() <= engine.facts.batch_tolerance


def test_memory_that_is_out_is_memory_error(engine: torch_engine.TorchEngine) -> None:
    """What torch raises itself, on whatever device, reaches the scheduler as MemoryError."""

    class Greedy(torch.nn.Module):
        """Wants more than there is, or says what CUDA would."""

        def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            if len(ids) > 1:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")
            return torch.empty(1 << 55)

    engine._model = Greedy()  # type: ignore[assignment]  # a fake
    for rows in (1, 2):
        with pytest.raises(MemoryError):
            engine.forward(_batch(rows, 3))


def test_a_device_without_room_for_the_model_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory that is out while loading is exit code 15 with torch's words, as when another program fills a GPU."""

    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")

    monkeypatch.setattr(torch_model.SentenceModel, "forward", full)
    with pytest.raises(LoadError, match=r"could not load the model .*: CUDA out of memory") as caught:
        torch_engine.create(EngineOptions(device="cpu"), discovery.find(BUNDLED_MODEL))
    assert caught.value.exit_code == 15
