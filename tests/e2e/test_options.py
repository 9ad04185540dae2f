"""Every option of the commands that work with memories does something, in this process: no daemon, no terminal."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from memory_mcp import cli
from tests.e2e.client import Json

Run = Callable[..., Json]

FILTERS: list[tuple[list[str], list[str]]] = [
    (["--tag", "y"], ["tree"]),
    (["--tags", "y,z"], ["tree"]),
    (["--tag", "x", "--tag", "y", "--tag-match", "all"], ["tree"]),
    (["--type", "fact"], ["tree"]),
    (["--metadata", '{"n": {"gte": 1}}'], ["tree"]),
    (["--conversation-id", "talk"], ["tree"]),
    (["--after", "yesterday"], ["pie"]),
    (["--after", "2020-05-02"], ["pie"]),
    (["--before", "2020-05-02"], ["tree"]),
    (["--time-expr", "in May 2020"], ["tree"]),
    (["--namespace", "other", "--tag", "x"], ["juice"]),
]
MEMORIES = [
    [
        *("green apple tree, old and tall", "--id", "tree", "--tag", "x,y", "--type", "fact", "--metadata", '{"n": 1}'),
        *("--conversation-id", "talk", "--created-at", "2020-05-01T12:00:00"),
    ],
    ["green apple pie", "--id", "pie", "--tag", "x"],
    ["apple juice", "--id", "juice", "--namespace", "other", "--tag", "x"],
]


@pytest.fixture
def run(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run commands on a store with three memories, and return what `--json` prints."""
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("MCP_MEMORY_SQLITE_PATH", str(folder / "memory.db"))
    monkeypatch.setenv("MCP_MEMORY_EMBEDDER_ADDRESS", f"unix:{folder}/e.sock")

    def invoke(*arguments: str, code: int = 0) -> Json:
        capsys.readouterr()
        assert cli.run([*arguments, "--json"]) == code
        printed: Json = json.loads(capsys.readouterr().out or "{}")
        return printed

    for memory in MEMORIES:
        invoke("store", *memory, code=cli.DEGRADED)
    return invoke


def _search(run: Run, *options: str) -> list[Json]:
    hits: list[Json] = run("search", "apple", "--mode", "keyword", *options)["results"]
    return hits


@pytest.mark.parametrize(("options", "expected"), FILTERS)
def test_filters_narrow_search_list_and_delete(run: Run, options: list[str], expected: list[str]) -> None:
    """The same filters, with the same meaning."""
    assert [hit["id"] for hit in _search(run, *options)] == expected
    assert [memory["id"] for memory in run("list", *options)["memories"]] == expected
    would = run("delete", "--dry-run", *options)
    assert (would["ids"], would["dry_run"]) == (expected, True)
    assert (would["interval"] is not None) == (options[0] in {"--after", "--before", "--time-expr"})
    assert run("list")["total"] == 2


def test_each_option_of_search(run: Run) -> None:
    """What a query may be given beside filters."""
    assert len(_search(run)) == 2
    assert len(_search(run, "--limit", "1")) == 1
    assert _search(run, "--min-score", "1") == []
    assert sum(len(hit["content"]) for hit in _search(run, "--max-chars", "7")) == 7
    run("store", "apple apple", "--id", "old", "--created-at", "2020-01-01", code=cli.DEGRADED)
    assert _search(run)[0]["id"] == "old"
    assert _search(run, "--recency", "1")[0]["id"] == "pie"
    run("store", "Green apple pie!", code=cli.DEGRADED)
    assert len(_search(run)) == 4
    assert len(_search(run, "--collapse")) == 3
    assert "no daemon listens" in run("search", "apple", code=cli.DEGRADED)["degraded"]
    explained = run("search", "apple", "--explain", code=cli.DEGRADED)
    assert [hit["id"] for hit in explained["explain"]] == [hit["id"] for hit in explained["results"]]


def test_each_option_of_list(run: Run) -> None:
    """Page by page."""
    page = run("list", "--limit", "1")
    assert [memory["id"] for memory in page["memories"]] == ["pie"]
    assert [memory["id"] for memory in run("list", "--cursor", page["next_cursor"])["memories"]] == ["tree"]


def test_each_option_of_store(run: Run) -> None:
    """What is stored is what was given."""
    tree = run("get", "tree")
    assert (tree["tags"], tree["type"], tree["metadata"]) == (["x", "y"], "fact", {"n": 1})
    assert (tree["conversation_id"], tree["created_at"][:4]) == ("talk", "2020")
    assert run("list", "--namespace", "other")["memories"][0]["id"] == "juice"


def test_each_option_of_update_and_get(run: Run) -> None:
    """Each replaces one field; the history has what was before."""
    changes = [
        "--tags",
        "[]",
        "--type",
        "plan",
        "--metadata",
        "{}",
        "--content",
        "cut down",
        "--expected-revision",
        "1",
    ]
    updated = run("update", "tree", *changes, code=cli.DEGRADED)
    assert (updated["tags"], updated["type"], updated["metadata"], updated["content"]) == ([], "plan", {}, "cut down")
    run("update", "tree", "--tag", "z", "--expected-revision", "1", code=cli.FAILED)
    assert run("get", "tree")["revisions"] is None
    assert [was["content"] for was in run("get", "tree", "--history")["revisions"]] == [MEMORIES[0][0]]
    part = run("get", "tree", "--offset", "2", "--max-chars", "3")
    assert (part["content"], part["next_offset"]) == ("t d", 5)
    assert run("get", "tree", "--revision", "1")["content"] == MEMORIES[0][0]


def test_delete_takes_an_id_or_filters(run: Run) -> None:
    """One of them, and not both."""
    assert run("delete", "pie")["ids"] == ["pie"]
    assert run("delete", "--type", "fact")["ids"] == ["tree"]
    run("delete", code=cli.WRONG_USAGE)
    run("delete", "pie", "--type", "fact", code=cli.WRONG_USAGE)
    run("delete", "pie", code=cli.FAILED)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["search", " "], "query: must not be blank"),
        (["serve", "--plain-http"], "--http HOST:PORT"),
        (["search", "x", "--limit", "101"], "1<=x<=100"),
        (["search", "x" * 10_001], "query: String should have at most 10000 characters"),
        (["search", "x", "--mode", "best"], "'auto', 'semantic', 'keyword', 'hybrid'"),
        (["search", "x", "--time-expr", "gibberish"], "'gibberish' is no time"),
        (["list", "--after", "gibberish"], "'gibberish' is not a time"),
        (["list", "--tag", "t" * 129], "tags.0: String should have at most 128 characters"),
        (["list", "--metadata", "[1]"], "give a JSON object"),
        (["list", "--cursor", "x"], "cursor: is not one"),
        (["store", "   "], "content: must not be blank"),
        (["store", "x", "--metadata", "[" * 100_000], "give a JSON object"),
        (["update", "tree"], "at least one of content, tags, type, metadata"),
        (["--set", "namspace=x", "list"], "did you mean namespace?"),
        (["--set", "namespace", "list"], "'namespace' is not NAME=VALUE"),
        (["--set", "read_only=perhaps", "list"], "fix it on the command line"),
    ],
)
def test_wrong_usage_is_named_in_a_line(
    run: Run, capsys: pytest.CaptureFixture[str], arguments: list[str], named: str
) -> None:
    """Exit code 2, and the bound that MCP clients are told."""
    capsys.readouterr()
    assert cli.run(arguments) == cli.WRONG_USAGE
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert named in err


def test_a_setting_of_the_command_line_is_the_strongest(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """It holds for this command alone."""
    monkeypatch.setenv("MCP_MEMORY_NAMESPACE", "nowhere")
    assert cli.run(["--set", "namespace=other", "get", "juice"]) == 0
    assert run("list")["total"] == 0


ELSEWHERE = {"--yes", "--json", "--help"}
"""`--yes` is for terminals (test_terminal), and `--json` is in every call here."""


@pytest.mark.parametrize("name", ["store", "search", "list", "get", "update", "delete"])
def test_no_option_is_forgotten_here(name: str) -> None:
    """An option that a tool's new argument brings must be shown to do something, above."""
    command = cli.commands.get_command(click.Context(cli.commands), name)
    assert command is not None
    flags = {flag for parameter in command.params if isinstance(parameter, click.Option) for flag in parameter.opts}
    tested = set(re.findall(r'"(--[a-z-]+)"', Path(__file__).read_text(encoding="utf-8")))
    assert flags - ELSEWHERE <= tested
