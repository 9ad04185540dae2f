"""Documents, jobs, sources, health, tokens, backups, exports and imports on the page, on fakes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest

from memory_mcp.domain.checks import Inquiry
from memory_mcp.domain.documents import DocumentState
from memory_mcp.domain.errors import DiskFullError
from memory_mcp.domain.jobs import JobFileState, JobState
from memory_mcp.domain.models import Condition, Finding, NewMemory, Stored
from memory_mcp.domain.principal import Reach, Scope
from memory_mcp.domain.sources import SourceError, SourceItem
from memory_mcp.maintenance.transfer import BATCH
from memory_mcp.server.web.uploads import UploadBounds, receive
from memory_mcp.tools.services import IngestRules, Services
from tests.disks import small_disk
from tests.fakes.sources import FakeSource, FakeSources
from tests.front.web.kit import READ_WRITE, PageSite, SignedIn

PATIENCE_S = 60.0
EVERYWHERE = Reach("default")


def body(files: dict[str, bytes], **fields: object) -> bytes:
    """Return an upload."""
    head = {"files": [{"name": name, "size": len(data)} for name, data in files.items()], "fields": fields}
    return json.dumps(head).encode() + b"\n" + b"".join(files.values())


async def sent(browser: SignedIn, name: str, content: bytes) -> httpx2.Response:
    return await browser.http.post(f"/raw/{name}", content=content)


async def until_seen(browser: SignedIn, path: str, text: str) -> str:
    """Return a view once it says something."""
    async with asyncio.timeout(PATIENCE_S):
        while text not in (html := await browser.view(path)):  # noqa: ASYNC110 - a browser asks again as well
            await asyncio.sleep(0)
    return html


async def remember(site: PageSite, content: str, **more: Any) -> Stored:
    stored = await site.services.memories.store(NewMemory(content=content, namespace="default", **more))
    assert isinstance(stored, Stored)
    return stored


def in_operation(html: str) -> str:
    """Return the id of the operation that waits or runs."""
    return html.split('data-key="', 2)[1].split('"', maxsplit=1)[0]


# What each caller sees


@pytest.mark.parametrize("path", ["/documents", "/jobs", "/sources", "/health", "/tokens", "/data"])
async def test_an_empty_view_says_what_to_do(site: PageSite, path: str) -> None:
    """There is a heading, and nothing that a template could not fill in."""
    html = await (await site.sign_in()).view(path)
    assert "<h1" in html


@pytest.mark.parametrize("path", ["/tokens", "/data", "/raw/data.export", "/raw/health.checks", "/raw/health.series"])
async def test_what_is_the_operators_is_refused_to_others(site: PageSite, path: str) -> None:
    """Who is no admin, or one of a single namespace, sees no token, exports nothing, and checks no machine."""
    path = path if path.startswith("/raw") else f"/view{path}"
    answer = await (await site.sign_in(READ_WRITE)).http.get(path)
    assert (answer.status_code, "'admin'" in answer.json()["error"]) == (403, True)
    answer = await (await site.sign_in((Scope.ADMIN,), namespace="work")).http.get(path)
    assert (answer.status_code, "all namespaces" in answer.json()["error"]) == (403, True)


async def test_only_the_operator_hears_about_the_machine(site: PageSite) -> None:
    """Others are told the program's version alone."""
    for scopes, namespace, told in (((Scope.READ,), "work", False), (tuple(Scope), None, True)):
        html = await (await site.sign_in(scopes, namespace)).view("/health")
        assert "memory-mcp" in html
        assert ("Python" in html) is told


async def test_a_key_that_no_store_has_is_refused(site: PageSite) -> None:
    """As an argument, whatever the address says."""
    answer = await (await site.sign_in()).http.get(f"/view/documents?after={10**23}")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_argument")


async def test_the_navigation_shows_the_operators_views_to_the_operator(site: PageSite) -> None:
    """The page is told who is one."""
    assert "operator" in (await site.sign_in()).facts["scopes"]
    assert "operator" in (await site.sign_in((Scope.ADMIN,))).facts["scopes"]
    assert "operator" not in (await site.sign_in((Scope.ADMIN,), namespace="work")).facts["scopes"]
    assert (await site.http().get("/")).text.count('data-scope="operator"') == 2


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("data.backup", {}),
        ("data.verify", {"name": "x"}),
        ("data.confirm", {"id": "x"}),
        ("data.cancel", {"id": "x"}),
        ("data.undo", {"run": "x"}),
        ("data.import_place", {"system": "mem0"}),
        ("tokens.create", {"name": "x", "scopes": ["admin"]}),
        ("tokens.revoke", {"id": "x"}),
    ],
)
async def test_no_change_of_the_operators_is_done_for_others(
    site: PageSite, name: str, fields: dict[str, object]
) -> None:
    """Whoever calls it without the button is told what is missing; no token makes a wider one."""
    assert "'admin'" in await (await site.sign_in(READ_WRITE)).refusal(name, **fields)
    bound = await site.sign_in((Scope.ADMIN,), namespace="work")
    assert "all namespaces" in await bound.refusal(name, **fields)
    assert [token.namespace for token in site.tokens.all() if Scope.ADMIN in token.scopes] == ["work"]


@pytest.mark.parametrize(
    ("name", "fields"), [("document.refresh", {"id": "x"}), ("documents.ingest", {"path": "/etc/passwd"})]
)
async def test_who_is_no_admin_has_no_path_read(site: PageSite, name: str, fields: dict[str, object]) -> None:
    """Only content may be sent."""
    assert "'admin'" in await (await site.sign_in(READ_WRITE)).refusal(name, **fields)


async def test_who_only_reads_has_no_way_to_write(site: PageSite) -> None:
    """There is no button, and the calls behind the buttons are refused."""
    browser = await site.sign_in((Scope.READ,))
    assert 'id="drop"' not in await browser.view("/documents")
    assert "'write'" in await browser.refusal("jobs.cancel", id="x")
    assert "'write'" in await browser.refusal("documents.unwatch", id="x")
    assert (await sent(browser, "documents.upload", body({"a.md": b"# A"}))).status_code == 403


# Documents and jobs


async def test_files_that_are_sent_become_one_job(site: PageSite) -> None:
    """Their names are text: one with slashes and markup names a document and no place on the disk."""
    browser = await site.sign_in(READ_WRITE)
    name = "../../<b>x</b>#1?.md"
    answer = await sent(browser, "documents.upload", body({name: b"# One", "b.md": b"# Two"}, tags=["sent"]))
    assert answer.status_code == 200, answer.text
    assert answer.json()["message"] == "Reading 2 files"
    job = await site.store.documents.job(answer.json()["data"]["job"], "default")
    assert (job.files, job.new.tags, job.new.roots) == (2, ("sent",), ())
    queued = await site.store.documents.job_files(job.id, JobFileState.QUEUED, -1, 10)
    assert [file.uri for file in queued] == ["upload:../../%3Cb%3Ex%3C/b%3E%231%3F.md", "upload:b.md"]
    content = await site.store.documents.job_content(job.id, 0)
    assert content is not None
    assert (content.data, content.title) == (b"# One", name)
    html = await browser.view("/jobs?part=list")
    assert 'data-running="yes"' in html
    assert "<b>x</b>" not in html
    await browser.act("jobs.cancel", id=job.id)
    assert (await site.store.documents.job(job.id, "default")).state is JobState.CANCELLED


async def test_two_files_of_one_name_are_two_documents(site: PageSite) -> None:
    """The second gets a number, so that neither replaces the other."""
    head = {"files": [{"name": "a.md", "size": 1}, {"name": "a.md", "size": 1}], "fields": {}}
    browser = await site.sign_in()
    answer = await sent(browser, "documents.upload", json.dumps(head).encode() + b"\n12")
    queued = await site.store.documents.job_files(answer.json()["data"]["job"], JobFileState.QUEUED, -1, 10)
    assert [file.uri for file in queued] == ["upload:a.md", "upload:a.md%20(2)"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'{"files": [{"name": "a", "size": 25000001}]}\n', "25.0 MB"),
        (
            json.dumps({"files": [{"name": "a", "size": 1}] * 101}).encode() + b"\n",
            "101 are too many; send at most 100",
        ),
        (json.dumps({"files": [{"name": "a", "size": 24_000_000}] * 5}).encode() + b"\n", "have 120.0 MB together"),
        (b'{"files": [{"name": "", "size": 1}]}\nx', "no name that can be shown"),
        (b'{"files": [{"name": "a\\u0000", "size": 1}]}\nx', "no name that can be shown"),
        (b'{"files": []}\n', "choose at least one"),
        (b'{"files": [{"name": "a", "size": 0}]}\n', "is empty"),
        (b'{"files": [{"name": "a", "size": 9}]}\nshort', "fewer bytes"),
        (b'{"files": [{"name": "a", "size": 1}]}\nlonger', "more bytes"),
        (b'{"files": [{"name": "a", "size": -1}]}\n', "greater than or equal to 0"),
        (b'{"files": [{"name": "a", "size": 1}], "fields": {"path": "/etc"}}\nx', "path"),
        (b"no line", "the first line"),
        (b"[1]\n", "files"),
    ],
)
async def test_a_refused_upload_says_why(site: PageSite, content: bytes, words: str) -> None:
    """The bound and the number that breaks it are named; no job is made of it."""
    browser = await site.sign_in()
    answer = await sent(browser, "documents.upload", content)
    assert answer.status_code == 400
    assert words in answer.json()["error"]
    assert await site.store.documents.jobs("default", 9) == []


async def test_a_full_disk_refuses_an_upload(tmp_path: Path) -> None:
    """The reason is said, as it is for every other write."""

    async def stream() -> AsyncIterator[bytes]:
        yield body({"a.md": bytes(1_000_000)})

    with small_disk(tmp_path / "disk", 1) as disk:
        disk.fill(spare=8_192)
        with pytest.raises(DiskFullError):
            await receive(stream(), disk.folder, UploadBounds(1, 2_000_000, 2_000_000))


async def test_what_is_not_wanted_is_refused_before_it_comes(site: PageSite) -> None:
    """A namespace out of reach, a wrong form, one upload too many: not a byte of the files is read."""
    browser = await site.sign_in(READ_WRITE, namespace="work")
    operator = await site.sign_in()

    def began(**fields: object) -> AsyncIterator[bytes]:
        async def pieces() -> AsyncIterator[bytes]:
            yield json.dumps({"files": [{"name": "a.md", "size": 9}], "fields": fields}).encode() + b"\n"
            raise AssertionError("the file was asked for")

        return pieces()

    async def status(who: SignedIn, name: str, **fields: object) -> int:
        return (await who.http.post(f"/raw/{name}", content=began(**fields))).status_code

    assert await status(browser, "documents.upload", namespace="other") == 403
    assert await status(browser, "documents.upload", tags=7) == 400
    assert await status(operator, "data.import", system="none") == 400


async def test_uploads_of_one_are_few_at_once(site: PageSite) -> None:
    """A third one is told to wait; others' go on."""
    browser, other = await site.sign_in(READ_WRITE), await site.sign_in()
    held, begun = asyncio.Event(), asyncio.Semaphore(0)

    async def slowly() -> AsyncIterator[bytes]:
        yield body({"a.md": b"# A"})[:-1]
        begun.release()
        await held.wait()
        yield b"A"

    slow = [asyncio.create_task(browser.http.post("/raw/documents.upload", content=slowly())) for _ in range(2)]
    for _ in slow:
        await asyncio.wait_for(begun.acquire(), PATIENCE_S)
    assert (await sent(browser, "documents.upload", body({"a.md": b"# A"}))).status_code == 429
    assert (await sent(other, "documents.upload", body({"a.md": b"# A"}))).status_code == 200
    held.set()
    assert [answer.status_code for answer in await asyncio.gather(*slow)] == [200, 200]
    assert (await sent(browser, "documents.upload", body({"a.md": b"# A"}))).status_code == 200


async def test_an_export_ends_with_its_token(site: PageSite) -> None:
    """Once it is revoked nothing more is sent, and the file says nowhere that it is whole."""
    for number in range(3 * BATCH):
        await remember(site, f"memory {number}")
    secret, token = site.tokens.create("brief", [*Scope], None, None)
    is_valid, asked = site.tokens.is_valid, [0]

    def for_a_while(token_id: str) -> bool:
        asked[0] += token_id == token.id
        return asked[0] < 4 and is_valid(token_id)

    site.tokens.is_valid = for_a_while  # type: ignore[method-assign]  # it is revoked on the way
    async with site.http() as http:
        facts = (await http.post("/sign-in", json={"token": secret})).json()
        exported = await http.get("/raw/data.export", headers={"X-Page-Secret": facts["secret"]})
    assert exported.status_code == 200
    assert BATCH <= exported.text.count("memory ") < 3 * BATCH
    assert "memory_mcp_export_end" not in exported.text


async def test_an_upload_needs_the_token_of_a_change(site: PageSite) -> None:
    """As every change does."""
    browser = await site.sign_in()
    del browser.http.headers["x-page-csrf"]
    assert (await sent(browser, "documents.upload", body({"a.md": b"# A"}))).status_code == 403


async def test_a_path_is_read_where_the_rules_allow_it(tmp_path: Path) -> None:
    """Outside it is refused with the setting that would allow it; nobody waits for the job."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.md").write_text("# A")
    rules = IngestRules((tmp_path / "in",))
    site = PageSite(tmp_path, change=lambda services: replace(services, ingest_rules=rules))
    browser = await site.sign_in()
    assert "MCP_MEMORY_INGEST_ROOTS" in await browser.refusal("documents.ingest", path=str(tmp_path))
    assert "MCP_MEMORY_INGEST_WATCH" in await browser.refusal("documents.ingest", path=str(tmp_path / "in"), watch=True)
    answer = await browser.act("documents.ingest", path=str(tmp_path / "in"))
    assert answer["message"] == "Reading 1 file"
    assert not (await site.store.documents.job(answer["data"]["job"], "default")).state.is_final


async def test_documents_are_out_of_reach_of_another_namespace(tmp_path: Path) -> None:
    """A token that is bound elsewhere finds neither the document nor its job."""
    site = PageSite(tmp_path)
    owner = await site.sign_in()
    job = (await sent(owner, "documents.upload", body({"a.md": b"# A"}))).json()["data"]["job"]
    other = await site.sign_in(READ_WRITE, namespace="elsewhere")
    assert job not in await other.view("/jobs")
    assert (await other.http.post("/do/jobs.cancel", json={"id": job})).status_code == 404
    assert (await other.http.get("/view/jobs?namespace=default")).status_code == 403


async def test_only_documents_in_a_state_are_listed(site: PageSite) -> None:
    """An unknown state is refused with those that there are."""
    browser = await site.sign_in()
    assert "No documents in this state" in await browser.view(f"/documents?state={DocumentState.FAILED}")
    assert (await browser.http.get("/view/documents?state=lost")).status_code == 400


# Sources


def with_sources(*sources: FakeSource) -> Callable[[Services], Services]:
    return lambda services: replace(services, sources=FakeSources(sources))


async def test_a_source_is_tried(tmp_path: Path) -> None:
    """What it says is text, wherever it comes from."""
    wiki = FakeSource(items=[SourceItem("<script>alert(1)</script> harbour", title="<i>")])
    broken = FakeSource("notes", error=SourceError("it is down", "start it"))
    site = PageSite(tmp_path, change=with_sources(wiki, broken))
    browser = await site.sign_in()
    html = (await browser.act("sources.test", name="wiki", query="harbour"))["html"]
    assert "1 item" in html
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    html = (await browser.act("sources.test", name="notes"))["html"]
    assert "it is down" in html
    assert "start it" in html
    listed = await browser.view("/sources")
    assert "Paused after failures" in listed


async def test_a_source_of_others_is_not_there(tmp_path: Path) -> None:
    """Who may not ask it neither sees it nor can try it."""
    site = PageSite(tmp_path, change=with_sources(FakeSource("secret-wiki", reachable_by=frozenset({"local user"}))))
    assert "secret-wiki" in await (await site.sign_in()).view("/sources")
    other = await site.sign_in((Scope.READ,))
    assert "secret-wiki" not in await other.view("/sources")
    assert "there is no source" in await other.refusal("sources.test", name="secret-wiki")


# Health


async def test_the_machines_checks_arrive_one_by_one(site: PageSite) -> None:
    """First the parts, then each finding, at last the report, which names no folder of the user's."""

    async def look(inquiry: Inquiry) -> Finding:
        return Finding(Condition.FAILED, "full", f"{Path.home()}/memory is <b>full</b>", "run `df <x>`")

    site.services.health.add("disk", look)
    site.services.health.add("room", look, needs=("disk",))
    browser = await site.sign_in()
    lines = (await browser.http.get("/raw/health.checks")).text.splitlines()
    first, *findings, last = map(json.loads, lines)
    assert sorted(first["parts"]) == sorted(finding["name"] for finding in findings)
    assert [finding["condition"] for finding in findings] == ["failed", "skipped"]
    assert "&lt;b&gt;full" in findings[0]["html"]
    assert "run <code>df &lt;x&gt;</code>" in findings[0]["html"]
    assert "Something does not work." in last["html"]
    assert "failed   disk: ~/memory is <b>full</b> -> run `df <x>`" in last["report"]
    assert str(Path.home()) not in last["report"]
    assert all(f" {name}: " in last["report"] for name in first["parts"])


async def test_a_bound_caller_hears_of_its_own_health(site: PageSite) -> None:
    """Neither figures of all namespaces nor details of the machine are shown."""
    await remember(site, "somebody else's")
    own = await (await site.sign_in()).view("/health")
    bound = await (await site.sign_in((Scope.READ, Scope.ADMIN), namespace="elsewhere")).view("/health")
    assert "Memories" in own
    assert "Memories" not in bound
    assert 'id="check"' not in bound


# Tokens


async def test_a_token_is_in_one_answer_alone(site: PageSite) -> None:
    """It opens a session at once; the list has its name, and never the secret."""
    browser = await site.sign_in()
    made = await browser.act("tokens.create", name="the laptop", scopes=["read"], namespace="work", days=7)
    secret = made["data"]["secret"]
    listed = await browser.view("/tokens")
    assert "the laptop" in listed
    assert secret not in listed
    assert (await site.http().post("/sign-in", json={"token": secret})).status_code == 200
    await browser.act("tokens.revoke", id=made["data"]["id"])
    assert (await site.http().post("/sign-in", json={"token": secret})).is_client_error
    assert "the laptop" not in await browser.view("/tokens?part=list")


@pytest.mark.parametrize(
    "given",
    [
        {"name": " ", "scopes": ["read"]},
        {"name": "x" * 65, "scopes": ["read"]},
        {"name": "a\nb", "scopes": ["read"]},
        {"name": "a", "scopes": []},
        {"name": "a", "scopes": ["all"]},
        {"name": "a", "scopes": ["read"], "days": 0},
        {"name": "a", "scopes": ["read"], "namespace": "\u202e" * 2000},
    ],
)
async def test_a_wrong_token_is_not_made(site: PageSite, given: dict[str, object]) -> None:
    """The form's bounds are the server's too."""
    browser = await site.sign_in()
    assert await browser.refusal("tokens.create", **given)
    assert site.tokens.all() == []


# What goes out and comes in


async def test_a_backup_is_made_and_verified(site: PageSite) -> None:
    """Both go on without the browser; the list has the command that restores it."""
    await remember(site, "kept")
    browser = await site.sign_in()
    await browser.act("data.backup")
    await until_seen(browser, "/data?part=operations", "Written and verified")
    html = await browser.view("/data?part=backups")
    name = next(site.settings.backup_folder.glob("*.db")).name  # type: ignore[union-attr]  # the kit names one
    assert f"memory-mcp restore {site.settings.backup_folder}/{name}" in html
    await browser.act("data.verify", name=name)
    await until_seen(browser, "/data", "The backup is sound.")
    await browser.act("data.verify", name="../memory.db")
    await until_seen(browser, "/data", "there is no backup")


async def test_an_export_in_place_of_a_copy_is_imported(tmp_path: Path) -> None:
    """The page of a store that no client copies by itself promises nothing, and each file has its own command."""
    shared = PageSite(tmp_path, storage_backend="postgres", postgres_url="postgresql://h/d", backup_folder=None)
    folder = tmp_path / "backups-postgres"
    folder.mkdir()
    for suffix in ("jsonl", "dump"):
        (folder / f"memories-20260302T000000Z-1.{suffix}").touch()
    html = await (await shared.sign_in()).view("/data")
    assert ("set MCP_MEMORY_BACKUP_FOLDER" in html, "every day with writes" in html) == (True, False)
    assert f"memory-mcp import {folder}/memories-20260302T000000Z-1.jsonl" in html
    assert f"memory-mcp restore {folder}/memories-20260302T000000Z-1.dump" in html
    assert ("is an export" in html, "store as it was is kept" in html) == (True, False)


async def test_what_is_exported_can_be_imported(site: PageSite, tmp_path: Path) -> None:
    """The file says how many memories it has; an import shows that, waits for a word, and tells what it did."""
    for number in range(3):
        await remember(site, f"memory {number}", tags=("<b>",))
    owner = await site.sign_in()
    exported = await owner.http.get("/raw/data.export")
    assert 'filename="memories-' in exported.headers["content-disposition"]
    assert "memory_mcp_export_end" in exported.text.splitlines()[-1]
    other = PageSite(tmp_path / "other")
    browser = await other.sign_in()
    assert (await sent(browser, "data.import", body({"<i>.jsonl": exported.content}))).status_code == 200
    html = await until_seen(browser, "/data?part=operations", "3 memories to import.")
    assert "&lt;i&gt;.jsonl" in html
    assert (await other.store.totals()).memories == 0
    await browser.act("data.confirm", id=in_operation(html))
    await until_seen(browser, "/data?part=operations", "Imported 3 memories.")
    assert (await other.store.totals()).memories == 3


async def test_an_import_that_is_discarded_writes_nothing(site: PageSite) -> None:
    """Its private copy is removed, and a word that comes later is refused."""
    await remember(site, "mine")
    browser = await site.sign_in()
    exported = (await browser.http.get("/raw/data.export")).content
    await sent(browser, "data.import", body({"mine.jsonl": exported}))
    html = await until_seen(browser, "/data?part=operations", "1 memory to import.")
    await browser.act("data.cancel", id=in_operation(html))
    await until_seen(browser, "/data?part=operations", "Cancelled; what")
    assert "has ended" in await browser.refusal("data.confirm", id=in_operation(html))


async def test_a_broken_import_names_the_users_file(site: PageSite) -> None:
    """And the line; not the copy that was made of it."""
    browser = await site.sign_in()
    await sent(browser, "data.import", body({"mine.jsonl": b"nonsense\n"}))
    html = await until_seen(browser, "/data?part=operations", "line 1")
    assert "mine.jsonl" in html
    assert "memory-mcp-import-" not in html


@pytest.mark.parametrize(
    ("fields", "words"),
    [({"system": "nobody"}, "must be memory-mcp or one of"), ({"system": "text", "source_tz": "Mars"}, "no time zone")],
)
async def test_a_wrong_import_is_refused(site: PageSite, fields: dict[str, object], words: str) -> None:
    """Before anything is read."""
    answer = await sent(await site.sign_in(), "data.import", body({"a": b"x"}, **fields))
    assert answer.status_code == 400
    assert words in answer.json()["error"]


async def test_memories_move_in_and_out_again(site: PageSite) -> None:
    """From another system's file: plan, import, report; undoing the run deletes them."""
    browser = await site.sign_in()
    line = {"type": "entity", "name": "Harbour", "entityType": "place", "observations": ["opens at six"]}
    await sent(browser, "data.import", body({"memory.json": json.dumps(line).encode()}, system="server-memory"))
    html = await until_seen(browser, "/data?part=operations", "1 memory to import.")
    await browser.act("data.confirm", id=in_operation(html))
    html = await until_seen(browser, "/data?part=operations", "Imported 1 memory.")
    run = html.split('data-undo="', 1)[1].split('"')[0]
    assert (await browser.act("data.undo", run=run))["message"].startswith("Deleted 1 memory;")
    assert (await site.store.totals()).memories == 0


async def test_only_who_sits_here_names_files_of_the_machine(site: PageSite, tmp_path: Path) -> None:
    """An operator elsewhere sends the file; the local user may name it."""
    file = tmp_path / "mine.jsonl"
    file.write_text("nonsense\n")
    remote = await site.sign_in((Scope.ADMIN,))
    assert "only who signed in" in await remote.refusal("data.import_place", path=str(file))
    local = await site.sign_in()
    await local.act("data.import_place", path=str(file))
    await until_seen(local, "/data?part=operations", "line 1")
    assert "line 1" not in await remote.view("/data?part=operations")


async def test_nothing_is_imported_where_nothing_is_written(tmp_path: Path) -> None:
    """The form is not shown, and its call refused; a backup is made all the same."""
    site = PageSite(tmp_path, read_only=True)
    browser = await site.sign_in()
    assert 'id="import-form"' not in await browser.view("/data")
    answer = await sent(browser, "data.import", body({"a": b"x"}))
    assert answer.status_code == 403
    assert "MCP_MEMORY_READ_ONLY" in answer.json()["error"]
