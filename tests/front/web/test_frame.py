"""The frame of the page: its assets, its texts, and what it does with requests that are none."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from memory_mcp.domain.principal import Scope
from memory_mcp.server import web
from memory_mcp.server.web.rendering import size
from memory_mcp.server.web.texts import TextEntry, catalogue, text
from tests.front.web.kit import PageSite

FOLDER = Path(web.__file__).parent
BUDGET = 250_000
KEY = re.compile(r"[\"'`]((?:[a-z_]+\.)+[a-z_]*)([\"'`]|\$\{|\{)")
"""A key of the catalogue in Python, a template or a script, or the beginning of one."""


def keys(entries: Mapping[str, TextEntry], prefix: str = "") -> Iterator[str]:
    """Yield the keys of all texts."""
    for name, entry in entries.items():
        if isinstance(entry, str) or entry.keys() == {"one", "other"}:
            yield prefix + name
        else:
            yield from keys(entry, f"{prefix}{name}.")


def mentioned() -> set[str]:
    """Return what the sources of the page mention that may be a key, or begin one."""
    sources = [path for path in FOLDER.rglob("*") if path.suffix in {".py", ".html", ".js"}]
    return {found[1] for path in sources for found in KEY.finditer(path.read_text(encoding="utf-8"))}


def test_the_catalogue_is_what_is_shown() -> None:
    """Every text that is named is there, and every text that is there is named, or begun where the rest is computed."""
    held, named = set(keys(catalogue())), mentioned()
    sections = set(catalogue())
    begun = {name for name in named if name.endswith((".", "_"))}
    whole = {name for name in named - begun if name.partition(".")[0] in sections and name.count(".") == 1}
    assert {name for name in whole if name not in held and not _is_other_name(name)} == set()
    computed = {key for key in held for start in begun if key.startswith(start)}
    navigation = {f"{section}.nav" for section in sections}
    assert held - named - computed - navigation == set()


def _is_other_name(name: str) -> bool:
    """Say whether a name with a point is an action, a stream, a file or a section of texts."""
    files = {path.name for path in FOLDER.rglob("*")}
    actions = re.compile(rf"[\"'](/raw/|/do/)?{re.escape(name)}[\"'?]")
    python = "".join(path.read_text(encoding="utf-8") for path in (FOLDER / "views").glob("*.py"))
    section = catalogue().get(name.partition(".")[0])
    is_section = isinstance(section, Mapping) and isinstance(section.get(name.partition(".")[2]), Mapping)
    return name in files or bool(actions.search(python)) or is_section


def test_a_text_is_chosen_by_its_count() -> None:
    """One is not many, numbers have their thousands apart, and what is missing is an error."""
    assert [text("shell.new", count=count) for count in (0, 1, 2_000)] == [
        "0 new memories",
        "1 new memory",
        "2,000 new memories",
    ]
    for key, values in (("shell.none", {}), ("shell", {}), ("none.none", {}), ("shell.new", {})):
        with pytest.raises(KeyError):
            text(key, **values)


def test_the_assets_are_small() -> None:
    """All together, as they lie on the disk."""
    assert sum(path.stat().st_size for path in (FOLDER / "static").iterdir()) < BUDGET


@pytest.mark.parametrize("path", sorted((FOLDER / "static").glob("*.js")), ids=lambda path: path.name)
def test_no_script_makes_markup_or_code_of_text(path: Path) -> None:
    """HTML comes from the server, which escapes; no script evaluates a string or asks another place."""
    script = path.read_text(encoding="utf-8")
    assert (
        re.findall(r"innerHTML|outerHTML\s*=|insertAdjacentHTML|document\.write\b|\beval\(|new Function", script) == []
    )
    fetches = len(re.findall(r"\bfetch\(|XMLHttpRequest|WebSocket|EventSource|sendBeacon", script))
    assert fetches == (2 if path.name == "net.js" else 0), "everything is fetched by net.js"


@pytest.mark.parametrize("path", sorted((FOLDER / "templates").glob("*.html")), ids=lambda path: path.name)
def test_no_template_trusts_content(path: Path) -> None:
    """None turns escaping off or has a script or style of its own, which the policy would refuse."""
    template = path.read_text(encoding="utf-8")
    assert re.findall(r"\|\s*safe\b|autoescape|<style|<script>|\sstyle=|\son[a-z]+=|data:|https?://", template) == []


@pytest.mark.parametrize(("count", "shown"), [(0, "0 bytes"), (999, "999 bytes"), (1_500, "1.5 kB"), (2.5e6, "2.5 MB")])
def test_sizes_are_readable(count: int, shown: str) -> None:
    """In the units that people know."""
    assert size(count) == shown


async def test_what_is_no_page_is_said(site: PageSite) -> None:
    """A browser gets the shell with 404, a program a sentence; unknown parts and filters are refused."""
    browser = await site.sign_in()
    shell = await browser.http.get("/no/such", headers={"Accept": "text/html"})
    assert (shell.status_code, "<main" in shell.text) == (404, True)
    for method, path in (("GET", "/no/such"), ("POST", "/"), ("DELETE", "/view/"), ("POST", "/do/none")):
        answer = await browser.http.request(method, path)
        assert (answer.status_code, "MCP clients use /mcp" in answer.json()["error"]) == (404, True), (method, path)
    for path in ("/view/?part=none", "/view/?colour=red"):
        answer = await browser.http.get(path)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_argument")


async def test_a_read_only_front_changes_nothing(tmp_path: Path) -> None:
    """Its page says that nobody may write, and refuses who tries."""
    site = PageSite(tmp_path, read_only=True)
    browser = await site.sign_in()
    assert browser.facts["read_only"]
    assert Scope.WRITE not in browser.facts["scopes"]
    assert "read-only" in await browser.refusal("memory.revert", id="x", revision=1, expected_revision=1)


async def test_bodies_are_bounded(tmp_path: Path) -> None:
    """By the setting for all of HTTP."""
    browser = await PageSite(tmp_path, http_max_body_bytes=2_000).sign_in()
    answer = await browser.http.post("/do/memory.revert", content=b"{" + b" " * 2_000 + b"}")
    assert (answer.status_code, "MCP_MEMORY_HTTP_MAX_BODY_BYTES" in answer.json()["error"]) == (400, True)
