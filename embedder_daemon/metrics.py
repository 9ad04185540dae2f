"""The daemon's Prometheus metrics, which are the counters of `Stats`; imported only if they are enabled."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from embedder_api.v1.embedder_pb2 import InfoResponse, LaneStats, State, StatsResponse
from prometheus_client import CollectorRegistry, make_wsgi_app, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment  # for types alone

LANES: Final = ("interactive", "bulk")


@dataclass(frozen=True, slots=True)
class _Field:
    """A field of `StatsResponse`, or of each of its lanes, as a metric."""

    name: str
    help: str
    metric: str
    gauge: bool = False


_COUNTS: Final = (
    _Field("uptime_s", "Seconds since the process started.", "embedder_uptime_seconds", gauge=True),
    _Field("compute_s", "Seconds that the forward thread was busy.", "embedder_compute_seconds"),
    _Field("rows", "Rows of all batches, that is, texts computed.", "embedder_batch_rows"),
    _Field("tokens", "Tokens of all batches, without padding.", "embedder_batch_tokens"),
    _Field("padded_tokens", "Tokens of all batches, with padding.", "embedder_batch_padded_tokens"),
    _Field("padding_waste", "Share of padding among all tokens, 0-1.", "embedder_padding_ratio", gauge=True),
    _Field("item_errors", "Texts that got an error instead of a vector.", "embedder_item_errors"),
    _Field("refused", "Calls refused because too many texts waited.", "embedder_refused"),
    _Field("shed", "Calls refused because their deadline could not be met.", "embedder_shed"),
    _Field("expired", "Texts dropped because their caller left or its deadline passed.", "embedder_expired"),
    _Field("quarantined", "Texts refused because the daemon died while computing them.", "embedder_quarantined"),
    _Field(
        "bisected",
        "Batches recomputed in parts after an exception or a vector that was not finite.",
        "embedder_bisected",
    ),
    _Field("out_of_memory", "Batches that did not fit into memory.", "embedder_out_of_memory"),
    _Field("cache_hits", "Texts whose vector was in the cache.", "embedder_cache_hits"),
    _Field("cache_misses", "Texts whose vector had to be computed.", "embedder_cache_misses"),
    _Field("cache_bytes", "Bytes of the cached vectors.", "embedder_cache_bytes", gauge=True),
    _Field("deduplicated", "Texts that shared the row of an equal text.", "embedder_deduplicated"),
)
_LANE_COUNTS: Final = (
    _Field("requests", "Calls of Embed.", "embedder_requests"),
    _Field("texts", "Texts of these calls.", "embedder_texts"),
    _Field("batches", "Forward passes.", "embedder_batches"),
    _Field("queued_texts", "Texts that wait.", "embedder_queued_texts", gauge=True),
)


class WireCollector(Collector):
    """Collects `Stats` and `Info` at every scrape, on its own thread."""

    def __init__(self, stats: Callable[[], StatsResponse], info: Callable[[], InfoResponse]) -> None:
        self._stats = stats
        self._info = info

    def collect(self) -> Iterator[Metric]:
        """Yield the current value of every metric."""
        stats, info = self._stats(), self._info()
        for field in _COUNTS:
            metric = _family(field)
            metric.add_metric([], getattr(stats, field.name))
            yield metric
        for field in _LANE_COUNTS:
            metric = _family(field, "lane")
            for name in LANES:
                lane: LaneStats = getattr(stats, name)
                metric.add_metric([name], getattr(lane, field.name))
            yield metric
        yield from _of_info(info)


def _family(field: _Field, *labels: str) -> CounterMetricFamily | GaugeMetricFamily:
    kind = GaugeMetricFamily if field.gauge else CounterMetricFamily
    return kind(field.metric, field.help, labels=labels)


def _of_info(info: InfoResponse) -> Iterator[Metric]:
    state = GaugeMetricFamily("embedder_state", "1 for the daemon's current state, 0 for the others.", labels=["state"])
    for name, number in State.items():
        if number:
            state.add_metric([name.removeprefix("STATE_").lower()], float(info.state == number))
    yield state
    what = {"model", "engine", "device", "precision", "space_id", "daemon_version"}
    yield InfoMetricFamily("embedder", "What is served.", {name: getattr(info, name) for name in what})


def make_registry(stats: Callable[[], StatsResponse], info: Callable[[], InfoResponse]) -> CollectorRegistry:
    """Return a registry with the daemon's metrics only."""
    registry = CollectorRegistry()
    registry.register(WireCollector(stats, info))
    return registry


def serve(address: str, registry: CollectorRegistry, is_ready: Callable[[], bool]) -> str:
    """Serve the metrics and the probes on a thread until the process ends; return the URL.

    Raises:
        OSError: the port is not available.
    """
    host, _, port = address.rpartition(":")
    server, _ = start_http_server(int(port), host.removeprefix("[").removesuffix("]"), registry)
    server.set_app(_with_probes(make_wsgi_app(registry), is_ready))
    return f"http://{host}:{server.server_port}/metrics"


def _with_probes(metrics: WSGIApplication, is_ready: Callable[[], bool]) -> WSGIApplication:
    """Return what answers an orchestrator as well: whether the process lives, and whether it serves vectors."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO")
        if path not in {"/livez", "/readyz"}:
            return metrics(environ, start_response)
        answer = ("200 OK", b"ok\n") if path == "/livez" or is_ready() else ("503 Service Unavailable", b"not ready\n")
        start_response(answer[0], [("Content-Type", "text/plain")])
        return [answer[1]]

    return app
