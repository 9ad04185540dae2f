"""Everything at once, with a real model."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.daemon.soak import Soak, assert_flat
from tests.model.conftest import running


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("seconds", [20.0, pytest.param(60.0, marks=pytest.mark.slow)])
async def test_mixed_load_leaves_nothing(cache_home: Path, seconds: float) -> None:
    """Callers of every kind cost no memory but grpc's, no descriptor and no thread."""
    with running(cache_home, "openvino", "float32", EMBEDDER_CACHE_MB="1") as daemon:
        soak = Soak(daemon.ready().address)
        samples = await soak.run(daemon.process.pid, seconds, fewest=seconds / 2)
        assert_flat(samples, soak.ended_early)
        assert min(soak.rounds.values()) > seconds / 2
