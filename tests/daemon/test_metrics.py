"""The daemon's metrics: on a port that is asked for, and on this machine alone."""

from __future__ import annotations

import json
import re
import socket
import urllib.error
import urllib.request
from collections.abc import Callable

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from embedder_daemon.metrics import serve
from tests.daemon.daemonkit import Process

Start = Callable[..., Process]


def scraped(process: Process) -> dict[tuple[str, str], float]:
    """Return each sample by its name and the value of its first label."""
    process.logged("serving metrics")
    [url] = re.findall(r"http://[\d.:]+/metrics", process.log.read_text())
    with urllib.request.urlopen(url) as page:  # noqa: S310 - a port of this test's own
        families = text_string_to_metric_families(page.read().decode())
        return {
            (sample.name, next(iter(sample.labels.values()), "")): sample.value
            for family in families
            for sample in family.samples
        }


def test_prometheus_and_stats_tell_the_same(start: Start) -> None:
    """What was computed, remembered and padded is counted by lane, and the state is named."""
    process = start("--engine", "hash", "--metrics-address", "127.0.0.1:0").ready()
    for _ in range(2):
        process.embed("one", "two words", "")
    seen, stats = scraped(process), process.stats()
    assert seen["embedder_requests_total", "interactive"] == stats.interactive.requests == 2
    assert seen["embedder_texts_total", "bulk"] == 0
    assert seen["embedder_cache_hits_total", ""] == stats.cache_hits == 2
    assert seen["embedder_cache_misses_total", ""] == stats.cache_misses == 2
    assert seen["embedder_batch_rows_total", ""] == stats.rows == 2
    assert seen["embedder_padding_ratio", ""] == stats.padding_waste == 0.25
    assert seen["embedder_item_errors_total", ""] == stats.item_errors == 2
    assert seen["embedder_compute_seconds_total", ""] == stats.compute_s > 0
    assert (seen["embedder_state", "serving"], seen["embedder_state", "asleep"]) == (1, 0)
    assert process.stop() == 0


def test_no_library_of_metrics_is_imported_unasked(start: Start) -> None:
    """A daemon without the setting starts without it."""
    process = start("--engine", "hash", PYTHONPROFILEIMPORTTIME="1").ready()
    assert process.stop() == 0
    assert "embedder_daemon.settings" in process.log.read_text()
    assert "prometheus_client" not in process.log.read_text()


@pytest.mark.parametrize("address", ["0.0.0.0:9464", "[::]:9464", "127.0.0.1:x", "9464"])
def test_an_address_that_others_reach_is_refused(start: Start, address: str) -> None:
    """It is wrong usage; the line says what may be given."""
    process = start("--engine", "hash", f"--metrics-address={address}")
    assert process.wait() == 2
    assert "loopback" in process.lines()[0]
    assert "EMBEDDER_METRICS_PUBLIC=1" in process.lines()[0]


def test_an_orchestrator_asks_beside_the_metrics(start: Start) -> None:
    """On an address that others reach, where it is wanted: a daemon lives before it is ready, and until it ends."""
    more = {"EMBEDDER_METRICS_PUBLIC": "1", "EMBEDDER_METRICS_ADDRESS": "0.0.0.0:0"}
    process = start("--engine", "hash", **more).ready()
    process.logged("serving metrics")
    [port] = re.findall(r"http://0\.0\.0\.0:(\d+)/metrics", process.log.read_text())
    for path in ("livez", "readyz"):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}") as page:
            assert (page.status, page.read()) == (200, b"ok\n")
    assert process.stop() == 0


def test_who_loads_or_ends_is_not_ready() -> None:
    """What is asked for vectors then would wait or be refused."""
    ready = False
    url = serve("127.0.0.1:0", CollectorRegistry(), lambda: ready)
    with pytest.raises(urllib.error.HTTPError, match="503"):
        urllib.request.urlopen(url.replace("metrics", "readyz"))  # noqa: S310 - likewise
    ready = True
    with urllib.request.urlopen(url.replace("metrics", "readyz")) as page:  # noqa: S310 - likewise
        assert page.status == 200


def test_a_taken_port_costs_the_metrics_alone(start: Start) -> None:
    """The daemon says so in its log, and serves."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        process = start("--engine", "hash", "--metrics-address", address).ready()
        assert process.embed("x").space_id
    [line] = [json.loads(line) for line in process.lines() if "metrics" in line]
    assert (line["level"], address in line["event"]) == ("error", True)
