"""What makes a code base hard to change is counted, and bounded."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from scripts import house

PROJECT = """
[[tool.importlinter.contracts]]
type = "layers"
containers = ["memory_mcp"]
layers = ["cli | (server)", "search"]

[[tool.importlinter.contracts]]
type = "layers"
containers = ["memory_mcp.search"]
layers = ["times"]
"""
FINDINGS: dict[house.Find, dict[str, str]] = {
    house.large_ports: {
        "memory_mcp/server.py": "class Port(Protocol):\n" + "".join(f"    def m{n}(self): ...\n" for n in range(16)),
        "memory_mcp/cli.py": "class Sum(Port, Protocol): ...\nclass Plain:\n    def m(self): ...\n",
    },
    house.numbers_outside_the_policy: {
        "memory_mcp/search/fusion.py": "HALF = 0.5\nFIRST = 0\ndef add(x): return x[-1] + 2\n",
        "memory_mcp/search/policy.py": "HALF = 0.5\n",
        "memory_mcp/search/times/clock.py": "HOURS = 24\n",
        "memory_mcp/cli.py": "WIDTH = 80\n",
    },
    house.repeated_types: {
        "memory_mcp/cli.py": "class Page: ...\nPin = tuple[str, str]\nPAGES = Page\n",
        "memory_mcp/server.py": "from memory_mcp.cli import Pin\ndef f():\n    class Page: ...\n",
        "embedder_daemon/pages.py": "Page = list[int]\nPAGES = Page\n",
    },
    house.parts_without_a_layer: {
        "memory_mcp/server.py": "",
        "memory_mcp/search/__init__.py": "",
        "memory_mcp/search/times/__init__.py": "",
        "memory_mcp/search/times/words/__init__.py": "",
        "memory_mcp/search/rerank/__init__.py": "",
        "memory_mcp/search/rerank/model.py": "",
        "memory_mcp/storage.py": "",
        "embedder_api/v1/wire.py": "",
    },
    house.long_files: {"memory_mcp/cli.py": "\n" * 400, "memory_mcp/server.py": "\n" * 401},
    house.slivers: {
        "memory_mcp/cli.py": "import memory_mcp.search.few\nfrom memory_mcp.search import many\n",
        "memory_mcp/server.py": "from memory_mcp.search.many import x\n",
        "memory_mcp/search/few.py": "x = 1\n",
        "memory_mcp/search/many.py": "x = 1\n",
        "memory_mcp/search/long.py": "x = 1\n" * 40,
        "memory_mcp/tools.py": "import memory_mcp.search.long\n",
    },
}
FOUND: dict[house.Find, list[str]] = {
    house.large_ports: ["Port (16 methods), memory_mcp/server.py"],
    house.numbers_outside_the_policy: ["memory_mcp/search/fusion.py:HALF = 0.5"],
    house.repeated_types: ["Page: memory_mcp/cli.py, embedder_daemon/pages.py"],
    house.parts_without_a_layer: [
        "memory_mcp.search.rerank",
        "memory_mcp.search.rerank.model",
        "memory_mcp.search.times.words",
        "memory_mcp.storage",
    ],
    house.long_files: ["memory_mcp/server.py (401 lines)"],
    house.slivers: ["memory_mcp/search/few.py (1 lines), for memory_mcp.cli"],
}


@pytest.fixture(scope="module")
def modules() -> list[house.Module]:
    """Return what this checkout holds."""
    return house.read(house.ROOT)


@pytest.mark.parametrize("measure", house.MEASURES, ids=lambda measure: measure.find.__name__)
def test_the_house_is_in_order(measure: house.Measure, modules: list[house.Module]) -> None:
    """Nothing is found that is not allowed, with its reason, in `scripts/house.py`."""
    assert measure.find(house.ROOT, modules) == []


@pytest.mark.parametrize("measure", house.MEASURES, ids=lambda measure: measure.find.__name__)
def test_disorder_is_found(
    measure: house.Measure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each measure names what it is for, and nothing else, in a checkout that has both."""
    (tmp_path / "pyproject.toml").write_text(PROJECT, encoding="utf-8")
    for path, text in FINDINGS[measure.find].items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    monkeypatch.setattr(sys, "argv", ["house", str(tmp_path), "--list"])
    house.main()
    _, after = capsys.readouterr().out.split(measure.title)
    assert [line.strip() for line in after.splitlines()[1 : 1 + len(FOUND[measure.find])]] == FOUND[measure.find]
    assert measure.find(tmp_path, house.read(tmp_path)) == FOUND[measure.find]


def test_every_exception_is_still_needed(modules: list[house.Module]) -> None:
    """What `scripts/house.py` allows is there."""
    places = {place for module in modules for place in house.numbers_by_place(module)}
    assert unused(house.NO_RANKS, places) == []
    assert unused(house.SMALL_ON_PURPOSE, {module.path for module in modules}) == []


def unused(patterns: Iterable[str], names: Iterable[str]) -> list[str]:
    """Return the patterns that fit no name."""
    return [pattern for pattern in patterns if not any(house.is_any(name, [pattern]) for name in names)]
