"""The front's Prometheus metrics; imported only if they are enabled.

No label contains a namespace, a caller's name or anything from a memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from memory_mcp.context.states import ENDS, ContextState, Requests
from memory_mcp.domain.daemon import BreakerStatus
from memory_mcp.domain.models import QueueCounts, Totals
from memory_mcp.domain.sources import SourceFigures

BUCKETS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""From a cached answer to a bulk store."""
STATES: Final = ("closed", "half_open", "open")


class Metrics(Collector):
    """Counts calls itself; reports the latest values it was given for the rest."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # untyped; drops the _created series
        self.registry = CollectorRegistry()
        self._calls = Counter(
            "memory_mcp_tool_calls",
            "Tool calls; the outcome is ok or an error code.",
            ["tool", "outcome"],
            registry=self.registry,
        )
        self._seconds = Histogram(
            "memory_mcp_tool_seconds",
            "Duration of tool calls in seconds.",
            ["tool"],
            registry=self.registry,
            buckets=BUCKETS_S,
        )
        self._lookups = Counter(
            "memory_mcp_cache_lookups",
            "Lookups in the response cache; the result is hit or miss.",
            ["result"],
            registry=self.registry,
        )
        self._totals: Totals | None = None
        self._queue: QueueCounts | None = None
        self._breaker = BreakerStatus()
        self._sources: Sequence[SourceFigures] = ()
        self._requests = Requests()
        self.registry.register(self)

    def called(self, tool: str, outcome: str, seconds: float) -> None:
        self._calls.labels(tool, outcome).inc()
        self._seconds.labels(tool).observe(seconds)

    def looked_up(self, hit: bool) -> None:  # noqa: FBT001 - a callback of one argument
        self._lookups.labels("hit" if hit else "miss").inc()

    def page(
        self,
        totals: Totals | None,
        queue: QueueCounts | None,
        breaker: BreakerStatus,
        requests: Requests,
        sources: Sequence[SourceFigures] = (),
    ) -> bytes:
        """Return everything in Prometheus' text format; None for what the store cannot tell."""
        self._totals, self._queue, self._breaker = totals, queue, breaker
        self._requests, self._sources = requests, sources
        return generate_latest(self.registry)

    def collect(self) -> Iterator[Metric]:
        state = GaugeMetricFamily(
            "memory_mcp_breaker_state", "1 for the current state of the breaker, 0 for the others.", labels=["state"]
        )
        for name in STATES:
            state.add_metric([name], float(self._breaker.state == name))
        yield state
        yield CounterMetricFamily(
            "memory_mcp_breaker_trips", "Number of times the breaker has opened.", self._breaker.trips
        )
        yield from _of_store(self._totals, self._queue)
        yield from _of_context(self._requests)
        yield from _of_sources(self._sources)


def _of_context(requests: Requests) -> Iterator[Metric]:
    """Yield how requests for context stand."""
    active = GaugeMetricFamily(
        "memory_mcp_context_active", "Requests for context by their present state.", labels=["state"]
    )
    ended = CounterMetricFamily(
        "memory_mcp_context_requests", "Requests for context by how they ended.", labels=["state"]
    )
    for state in ContextState:
        family, counts = (ended, requests.ended) if state in ENDS else (active, requests.active)
        family.add_metric([state.value], float(counts[state]))
    reached = CounterMetricFamily(
        "memory_mcp_context_states", "Requests for context by the states that they have entered.", labels=["state"]
    )
    for state in ContextState:
        reached.add_metric([state.value], float(requests.reached[state]))
    yield from (active, ended, reached)


def _of_store(totals: Totals | None, queue: QueueCounts | None) -> Iterator[Metric]:
    """Yield the store's figures; without values if it cannot be read."""
    memories = GaugeMetricFamily("memory_mcp_memories", "Memories in all namespaces.")
    size = GaugeMetricFamily("memory_mcp_store_bytes", "Size of the store's files in bytes.")
    pending = GaugeMetricFamily("memory_mcp_pending_memories", "Memories waiting for a vector.")
    failed = GaugeMetricFamily("memory_mcp_failed_memories", "Memories that the embedder refused to embed.")
    if totals is not None:
        memories.add_metric([], totals.memories)
        size.add_metric([], totals.bytes)
    if queue is not None:
        pending.add_metric([], queue.pending)
        failed.add_metric([], queue.failed)
    yield from (memories, size, pending, failed)


def _of_sources(sources: Sequence[SourceFigures]) -> Iterator[Metric]:
    """Yield the figures of the sources of context, which are labelled by their names in the configuration."""
    questions = CounterMetricFamily(
        "memory_mcp_source_questions",
        "Questions to sources; the outcome is ok, cached, failed, late, open or limited.",
        labels=["source", "outcome"],
    )
    seconds = CounterMetricFamily("memory_mcp_source_seconds", "Seconds spent on asking sources.", labels=["source"])
    state = GaugeMetricFamily(
        "memory_mcp_source_breaker_open", "1 while the breaker of a source is not closed, else 0.", labels=["source"]
    )
    for source in sources:
        for outcome, count in sorted(source.outcomes.items()):
            questions.add_metric([source.name, outcome], count)
        seconds.add_metric([source.name], source.seconds)
        state.add_metric([source.name], float(source.state != "closed"))
    yield from (questions, seconds, state)
