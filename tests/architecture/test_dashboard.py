"""The Grafana dashboard asks for metrics that there are, and for all that an operator needs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scripts.metrics import table

DASHBOARD = Path(__file__).parents[2] / "docs" / "grafana.json"
NAME = re.compile(r"\b(?:memory_mcp|embedder)_\w+")
GROUPING = re.compile(r"\b(?:by|on|without) ?\(([^)]*)\)|\{([^}]*)\}")


def panels() -> Iterator[Any]:
    """Yield the panels that show something."""
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    yield from (panel for panel in dashboard["panels"] if panel["type"] != "row")


def queries() -> list[str]:
    """Return all queries."""
    return [target["expr"] for panel in panels() for target in panel["targets"]]


def test_every_metric_of_the_dashboard_exists() -> None:
    """Each name in a query is one that a program tells, and every metric is shown somewhere."""
    known = {name for row in table() for name in row.names}
    asked = {name for query in queries() for name in NAME.findall(query)}
    assert len(queries()) > 20
    assert asked - known == set()
    assert known - asked == set()


def test_labels_of_the_dashboard_exist() -> None:
    """What queries select and group by, and what legends show, is a label of some metric."""
    known = {
        "instance",
        "tool",
        "outcome",
        "result",
        "source",
        "state",
        "lane",
        "le",
        "engine",
        "precision",
        "model",
        "daemon_version",
    }
    inside = [part for query in queries() for groups in GROUPING.findall(query) for part in groups]
    legends = [target["legendFormat"] for panel in panels() for target in panel["targets"]]
    named = {name for part in inside for name in re.findall(r"([a-z_]+)(?=\s*(?:[,=!]|$))", part)}
    assert named | {name for legend in legends for name in re.findall(r"\{\{(\w+)\}\}", legend)} <= known


def test_every_panel_says_what_it_shows() -> None:
    """It has a title, a sentence and a place of its own within 24 columns."""
    places = [tuple(panel["gridPos"].values()) for panel in panels()]
    assert len(set(places)) == len(places)
    assert all(x + width <= 24 for x, _, width, _ in places)
    assert all(panel["title"] and panel["description"].endswith(".") for panel in panels())
    ids = [panel["id"] for panel in panels()]
    assert len(set(ids)) == len(ids)
