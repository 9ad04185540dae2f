"""Documents, jobs, sources, health, tokens, backups, exports and imports, as a person uses them."""

from __future__ import annotations

import json
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from tests.daemon.daemonkit import Process
from tests.web.browser import SMALL, Tab
from tests.web.conftest import SignIn, Site, start_site, store

SOURCES = """
[sources.notes]
kind = "sql"
path = "{folder}/notes.db"
statement = "SELECT title, text FROM notes WHERE text LIKE '%' || :query || '%' LIMIT :limit"

[sources.wiki]
kind = "http"
url = "http://127.0.0.1:9/search?q={{query}}"

[sources.typo]
kind = "htpt"
"""
UNLUCKY = '<img src=x onerror=alert(1)> #1 "quoted"\u202e.md'


@dataclass(frozen=True, slots=True)
class System:
    """A front that may read a folder and ask sources, and whose daemon can be ended."""

    site: Site
    daemon: Process
    folder: Path

    @property
    def papers(self) -> Path:
        """What may be read."""
        return self.folder / "papers"


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    """Start it, with files to read and sources that answer, that do not, and that are wrong."""
    folder = Path(tempfile.mkdtemp(prefix="mm-", dir="/tmp"))
    (folder / "papers").mkdir()
    (folder / "papers" / "boats.md").write_text(
        "# Boats\n\nThe key hangs behind the clock.\n\n# Oars\n\nThere are two.\n"
    )
    (folder / "papers" / "broken.pdf").write_bytes(b"%PDF-1.7\nthis is no PDF")
    with closing(sqlite3.connect(folder / "notes.db")) as notes, notes:
        notes.execute("CREATE TABLE notes (title TEXT, text TEXT)")
        notes.execute("INSERT INTO notes VALUES ('Harbour', 'The harbour opens at <b>six</b>.')")
    config = folder / "config.toml"
    config.write_text(SOURCES.format(folder=folder))
    site, daemon = start_site(
        folder,
        MCP_MEMORY_INGEST_ROOTS=str(folder / "papers"),
        MCP_MEMORY_INGEST_WATCH="true",
        MCP_MEMORY_CONFIG=str(config),
    )
    yield System(site, daemon, folder)
    site.front.end()
    daemon.popen.terminate()
    daemon.popen.communicate()
    shutil.rmtree(folder, ignore_errors=True)


def picture(tab: Tab, name: str) -> None:
    """Keep pictures: light, dark with what axe says of it, and small, where nothing is wider than the screen."""
    tab.shot(name, full=True)
    tab.click("#theme")
    tab.shot(f"{name}-dark", full=True)
    assert tab.violations() == []
    tab.click("#theme")
    tab.do("setViewportSize", {"width": SMALL[0], "height": SMALL[1]})
    tab.until("getComputedStyle(document.querySelector('#nav')).visibility === 'hidden'")
    tab.shot(f"{name}-small", full=True)
    assert tab.js("document.documentElement.scrollWidth <= window.innerWidth")
    tab.do("setViewportSize", {"width": 1280, "height": 900})


def test_a_file_is_sent_read_opened_and_removed(sign_in: SignIn, system: System) -> None:
    """Its name is text, wherever it is shown; its job tells how far it is; what cannot be read says why."""
    sent = system.folder / "sent"
    sent.mkdir()
    (sent / UNLUCKY).write_text("# Harbour\n\nIt opens at six.\n")
    (sent / "broken.pdf").write_bytes(b"%PDF-1.7\nneither is this")
    tab = sign_in("/documents", at=system.site)
    picture(tab, "documents-empty")
    tab.fill("#tags", "from the page")
    tab.do("setInputFiles", "#files", [str(sent / UNLUCKY), str(sent / "broken.pdf")])
    tab.wait("[data-state=done] summary")
    tab.click("[data-state=done] summary")
    assert "broken.pdf" in tab.text("main")
    picture(tab, "jobs-failed-file")
    tab.goto("/documents")
    assert UNLUCKY in tab.text("#documents")
    picture(tab, "documents")
    tab.click("#documents .title >> nth=0")
    tab.wait("#outline")
    assert "Harbour" in tab.text("#outline")
    picture(tab, "document")
    tab.click("#remove")
    tab.shot("document-remove")
    tab.click("#confirm-yes")
    tab.wait("text=Removed 1 document")
    assert tab.dialogs == []
    assert tab.errors == []


def test_a_job_of_another_client_moves_nothing(sign_in: SignIn, system: System) -> None:
    """A bar tells of it, and shows it when it is asked to; what goes on is cancelled by a button."""
    tab = sign_in("/jobs", at=system.site)
    before = tab.count("[data-state]")
    with system.site.client("another") as client:
        client.tool("memory_ingest", content="# Seen live\n\nBy who looks at the jobs.")
    tab.wait("text=1 new job")
    assert tab.count("[data-state]") == before
    tab.shot("jobs-new")
    tab.click(".news button")
    tab.until(f"document.querySelectorAll('[data-state]').length === {before + 1}")
    tab.wait(".news", "detached")


def test_a_folder_is_read_and_kept_current_where_that_is_allowed(sign_in: SignIn, system: System) -> None:
    """A path outside is refused with what would allow it; a watch can be ended."""
    tab = sign_in("/documents", at=system.site)
    tab.click("#by-path summary")
    tab.fill("[name=path]", "/etc")
    tab.press("Enter")
    tab.wait("#path-error:has-text('MCP_MEMORY_INGEST_ROOTS')")
    tab.shot("documents-path-refused", full=True)
    tab.fill("[name=path]", str(system.papers))
    tab.click("[name=watch]")
    tab.click("#path-form button")
    tab.wait("[data-state=done]")
    tab.goto("/documents?state=failed")
    assert "broken.pdf" in tab.text("#documents")
    tab.click("#documents .entry:has-text('/papers/') .title")
    tab.wait("#refresh")
    picture(tab, "document-failed")
    tab.click("#refresh")
    tab.wait("h1:has-text('Jobs')")
    tab.goto("/documents")
    tab.click("[data-unwatch]")
    tab.click("#confirm-yes")
    tab.wait("[data-unwatch]", "detached")


def test_too_large_a_file_is_refused_with_its_size(sign_in: SignIn, system: System) -> None:
    """By the page, before anything is sent."""
    large = system.folder / "large.bin"
    with large.open("wb") as file:
        file.truncate(26_000_000)
    tab = sign_in("/documents", at=system.site)
    tab.do("setInputFiles", "#files", [str(large)])
    tab.wait("text=large.bin is 26.0 MB; the limit is 25.0 MB")
    tab.shot("documents-refused", full=True)
    assert not any("/raw/" in request for request in tab.requests)


def test_sources_say_how_they_do(sign_in: SignIn, system: System) -> None:
    """One answers, one is down, one section is wrong; what they say is text."""
    tab = sign_in("/sources", at=system.site)
    tab.fill("[data-test=notes] input", "harbour")
    tab.click("[data-test=notes] button")
    tab.wait("text=The harbour opens at <b>six</b>.")
    for _ in range(3):
        tab.click("[data-test=wiki] button")
        tab.wait("[data-key=wiki] .answer .notice")
        tab.wait("[data-test=wiki] button:not([disabled])")
    tab.wait("[data-key=wiki] .badge.bad")
    assert "unknown name 'htpt'" in tab.text("[data-key=typo]")
    picture(tab, "sources")
    assert tab.errors == []


def test_a_token_is_shown_once(sign_in: SignIn, system: System) -> None:
    """It works at once, is nowhere in the page after the dialog, and is refused when it is revoked."""
    tab = sign_in("/tokens", at=system.site)
    tab.click("#new")
    tab.fill("[name=name]", "the laptop")
    tab.fill("[name=days]", "30")
    tab.shot("tokens-new")
    assert tab.violations() == []
    tab.click("#make-form button[type=submit]")
    tab.wait("#secret")
    secret = tab.text("#secret")
    assert secret.startswith("mm_")
    tab.shot("tokens-made")
    assert tab.violations() == []
    tab.click("#made [data-close]")
    tab.until("document.querySelector('#secret').textContent === ''")
    assert secret not in str(tab.do("content"))
    assert secret not in "".join(tab.requests) + tab.path
    assert _status(system, secret) == 200
    picture(tab, "tokens")
    tab.click("[data-name='the laptop']")
    tab.click("#confirm-yes")
    tab.wait("text=Revoked the laptop")
    assert _status(system, secret) == 401


def _status(system: System, secret: str) -> int:
    initialize = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}}  # fmt: skip
    headers = {"Authorization": f"Bearer {secret}", "Accept": "application/json, text/event-stream"}
    return httpx2.post(system.site.front.url, json=initialize, headers=headers).status_code


def test_a_backup_is_made_and_verified(sign_in: SignIn, system: System) -> None:
    """It appears in the list by itself; restoring is a command to copy."""
    store(system.site, "something to back up")
    tab = sign_in("/data", at=system.site)
    tab.click("#back-up")
    tab.wait("[data-kind=backup][data-state=done]")
    tab.click("#backups [data-verify] >> nth=0")
    tab.wait("text=The backup is sound.")
    assert "memory-mcp restore /" in tab.js("document.querySelector('[data-copy]').dataset.copy")
    picture(tab, "data-backup")


def test_what_is_exported_is_imported_again(sign_in: SignIn, system: System) -> None:
    """Nothing is written before the plan is confirmed; a broken file is refused by its line."""
    store(system.site, "an exported memory", namespace="exported")
    tab = sign_in("/data", at=system.site)
    tab.click("#export")
    tab.wait("#exported:has-text('Exported')")
    exported = httpx2.get(f"{system.site.url}/static/page.css").status_code  # the front is well
    assert exported == 200
    file = system.folder / "mine.jsonl"
    file.write_text("this is no export\n")
    tab.do("setInputFiles", "[name=file]", [str(file)])
    tab.click("#import")
    tab.wait("[data-kind=import][data-state=failed]")
    assert "mine.jsonl" in tab.text("[data-kind=import]")
    picture(tab, "data-import-failed")


def test_memories_move_in_from_another_system(sign_in: SignIn, system: System) -> None:
    """First what would come, with its counts; then the import, its report, and its undoing."""
    file = system.folder / "memory.jsonl"
    entity = {"type": "entity", "name": "Harbour", "entityType": "place", "observations": ["opens at six"]}
    file.write_text(json.dumps(entity) + "\n")
    tab = sign_in("/data", at=system.site)
    tab.do("selectOption", "#system", "server-memory")
    tab.shot("data-import-form", full=True)
    tab.do("setInputFiles", "[name=file]", [str(file)])
    tab.click("#import")
    tab.wait("[data-kind=import][data-state=waiting]")
    picture(tab, "data-import-plan")
    tab.click("[data-confirm]")
    tab.wait("[data-kind=import][data-state=done]")
    picture(tab, "data-import-done")
    tab.click("[data-undo]")
    tab.click("#confirm-yes")
    tab.wait("text=edited since were left alone")
    assert tab.errors == []


def test_health_tells_what_is_wrong_and_what_fixes_it(sign_in: SignIn, system: System) -> None:
    """The machine's checks arrive one by one. The last of these tests, because it ends the daemon."""
    store(system.site, "The oars are in the shed")
    tab = sign_in("/health", at=system.site)
    assert "htpt" in tab.text("#now")
    tab.click("#check")
    tab.wait("#copy")
    assert tab.count("#findings [data-condition]") > 15
    picture(tab, "health")
    system.daemon.popen.terminate()
    system.daemon.popen.wait()
    tab.goto("/health")
    tab.wait("text=The embedder daemon does not answer.")
    picture(tab, "health-daemon-away")
