"""How long calls take, as the page's charts have it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from memory_mcp.application.latencies import Latencies, quantile
from memory_mcp.application.request import ToolCall
from memory_mcp.domain.principal import local_user
from memory_mcp.tools.health import HEALTH
from tests.fakes.clock import FakeClock


async def _nothing() -> None:
    """No work."""


CALL = ToolCall(local_user("default"), HEALTH, {}).request(_nothing)


def test_the_last_hour_is_told_minute_by_minute() -> None:
    """A minute without a call is there too; what is older than an hour is not."""
    clock = FakeClock()
    latencies = Latencies(clock)
    latencies(CALL, "ok", 9.0)
    clock.advance(3_600)
    latencies(CALL, "ok", 0.2)
    latencies(CALL, "ok", 0.4)
    clock.advance(60)
    latencies(CALL, "ok", 0.1)
    slices = latencies.slices()
    assert len(slices) == 60
    assert [(each.calls, each.median_s, each.p95_s) for each in slices[-3:]] == [
        (0, None, None),
        (2, 0.2, 0.4),
        (1, 0.1, 0.1),
    ]
    [of_tool] = latencies.by_tool()
    assert (of_tool.tool, of_tool.calls) == ("memory_health", 3)


@given(st.lists(st.floats(0, 100), min_size=1), st.floats(0.01, 1))
def test_a_quantile_is_exceeded_by_no_more_than_the_rest(values: list[float], share: float) -> None:
    """It is one of the values, and the smallest such."""
    found = quantile(values, share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values) - 1e-9
    assert sum(value < found for value in values) < share * len(values) + 1e-9
