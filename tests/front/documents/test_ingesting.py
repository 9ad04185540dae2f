"""Ingesting: from files to documents that are found, whatever happens in between."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memory_mcp.documents.ingesting import Ingesting, IngestRequest
from memory_mcp.documents.readers.model import Refusal, RefusedError
from memory_mcp.documents.sandbox.client import Sandbox
from memory_mcp.documents.sandbox.process import SandboxError
from memory_mcp.documents.spool import Spool
from memory_mcp.domain.documents import DocumentState, FileChange
from memory_mcp.domain.errors import ConflictError, EmbedderError, InvalidArgumentError, NotFoundError, StoreError
from memory_mcp.domain.jobs import FileContent, IngestJob, JobFile, JobFileState, JobState, NewJob, NewJobFile
from memory_mcp.domain.models import Embedded, Filters
from memory_mcp.domain.principal import Reach
from memory_mcp.storage.documents.store import StoredDocuments
from memory_mcp.storage.sqlite.documents import SqliteTransactions
from memory_mcp.storage.sqlite.store import SqliteStore
from tests.contracts.library import sections_of, texts_of
from tests.contracts.shelf import listed, worded
from tests.fakes.clock import until
from tests.front.documents.ingesting_kit import HERE, Kit, files_of
from tests.front.storage.audit import audit

TEXT = "# One\nFirst things first.\n# Two\nSecond thoughts.\n"


async def test_a_folder_becomes_documents(kit: Kit) -> None:
    """Each file one, its sections with their headings; what a rule leaves out is named."""
    kit.write("a.md", TEXT)
    kit.write("deep/b.md", "Only a line.")
    kit.write(".env", "PASSWORD=1")
    job = await kit.ingest(tags=["red"])
    assert (job.state, job.sections, job.error) == (JobState.DONE, 3, None)
    assert job.counts == {JobFileState.DONE: 2, JobFileState.LEFT_OUT: 1}
    first, second = await kit.all()
    assert (first.title, first.sections, first.tags) == ("a.md", 2, ("red",))
    assert await texts_of(kit.store, first) == ["One\n\nFirst things first.", "Two\n\nSecond thoughts."]
    assert await texts_of(kit.store, second) == ["b.md\n\nOnly a line."]
    assert await worded(kit.store, "thoughts", documents=True) == ["Two\n\nSecond thoughts."]
    [left] = await kit.ingesting.job_lines(job.id, JobFileState.LEFT_OUT, -1, 10)
    assert left.error == "it may hold secrets"
    assert {state.state for state in kit.seen} <= set(JobState)
    assert kit.seen[-1] == job


async def test_what_did_not_change_is_not_read_again(kit: Kit) -> None:
    """A file with its size and time is not opened, one with its bytes is not read; nothing is embedded twice."""
    path = kit.write("a.md", TEXT)
    await kit.ingest()
    calls = len(kit.embedder.calls)
    assert (await kit.ingest()).counts == {JobFileState.UNCHANGED: 1}
    os.utime(path, (1, 1))
    kit.write("copy.md", TEXT)
    assert (await kit.ingest()).counts == {JobFileState.UNCHANGED: 2}
    assert kit.reader.read_names == ["a.md"]
    [document] = await kit.all()
    assert document.uris == (path.as_uri(), (kit.folder / "copy.md").as_uri())
    job = await kit.ingest(path, is_forced=True)
    assert (job.counts, job.sections) == ({JobFileState.DONE: 1}, 0)
    assert len(kit.embedder.calls) == calls


async def test_an_edit_changes_what_it_touches(kit: Kit) -> None:
    """The other sections keep their ids, and only the new one is embedded."""
    path = kit.write("a.md", TEXT)
    await kit.ingest()
    [document] = await kit.all()
    before = await sections_of(kit.store, document)
    kit.embedder.calls.clear()
    path.write_text("# Zero\nNew.\n" + TEXT, encoding="utf-8")
    assert (await kit.ingest()).sections == 1
    after = await sections_of(kit.store, (await kit.all())[0])
    assert [memory.id for memory in after[1:]] == [memory.id for memory in before]
    assert [memory.content for memory in after] == ["Zero\n\nNew.", *(memory.content for memory in before)]
    assert [texts for texts, *_ in kit.embedder.calls] == [("Zero\n\nNew.",)]


async def test_one_bad_file_costs_one_line(kit: Kit) -> None:
    """The others are in; the bad one is a document that says why, and is tried again the next time."""
    for number in range(5):
        kit.write(f"{number}.md", f"Text {number}")
    bad = kit.write("2.md", "Some text.\nREFUSED")
    kit.write("gone.md", "")
    job = await kit.ingest()
    assert job.state is JobState.DONE
    assert job.counts == {JobFileState.DONE: 4, JobFileState.FAILED: 2}
    lines = await kit.ingesting.job_lines(job.id, JobFileState.FAILED, -1, 10)
    assert [line.uri for line in lines] == [bad.as_uri(), (kit.folder / "gone.md").as_uri()]
    assert lines[0].error == "it is damaged; save it again"
    [failed] = await kit.ingesting.documents("here", state=DocumentState.FAILED)
    assert (failed.uri, failed.refusal, failed.sections) == (bad.as_uri(), "damaged", 0)
    bad.write_text("Text 2, repaired", encoding="utf-8")
    assert (await kit.ingest()).counts[JobFileState.DONE] == 1
    assert await kit.ingesting.documents("here", state=DocumentState.FAILED) == []


async def test_an_unexpected_error_fails_its_file_alone(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its line names the error's class, and nothing that the error quotes, in reading or in writing."""

    def fail() -> None:
        if kit.reader.read_names[-1] == "2.md":
            raise OverflowError("a secret")
        if kit.reader.read_names[-1] == "3.md":
            raise OSError(5, "Input/output error")

    for number in range(5):
        kit.write(f"{number}.md", f"Text {number}")
    kit.reader.before_read = fail
    put = StoredDocuments.put_files

    async def strict(
        self: StoredDocuments, job_id: str, files: Sequence[tuple[JobFile, FileChange | None]]
    ) -> IngestJob:
        if any(change and change.uri.endswith("/4.md") for _, change in files):
            raise UnicodeEncodeError("utf-8", "a secret", 0, 1, "surrogates")
        return await put(self, job_id, files)

    monkeypatch.setattr(StoredDocuments, "put_files", strict)
    job = await kit.ingest()
    assert (job.state, job.counts) == (JobState.DONE, {JobFileState.DONE: 2, JobFileState.FAILED: 3})
    lines = await kit.ingesting.job_lines(job.id, JobFileState.FAILED, -1, 10)
    assert [(line.error or "").split(";")[0] for line in lines] == [
        "the program failed at it (OverflowError)",
        "it could not be read (Input/output error)",
        "the program failed at it (UnicodeEncodeError)",
    ]


async def test_without_room_for_what_is_read_its_file_fails_alone(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its document stays as it was; so do the files after it, whose chunks come in the same batch."""
    path = kit.write("b.md", TEXT)
    await kit.ingest()
    for name in ("a.md", "b.md", "c.md"):
        more = "more " * (30 if name == "b.md" else 1)
        kit.write(name, f"# New {name}\nWords.\nMany {more}words.\n")
    put = Spool.put

    def limited(self: Spool, value: object) -> int:
        if isinstance(value, Embedded) and value.chunks[-1].end > 100:  # those of b.md
            raise RefusedError(Refusal.NOT_READABLE, "there is no room")
        return put(self, value)

    monkeypatch.setattr(Spool, "put", limited)
    job = await kit.ingest()
    assert job.counts == {JobFileState.DONE: 2, JobFileState.FAILED: 1}
    by_uri = {one.uri: one for one in await kit.all()}
    assert [text.splitlines()[0] for text in await texts_of(kit.store, by_uri[path.as_uri()])] == ["One", "Two"]
    last = by_uri[(kit.folder / "c.md").as_uri()]
    assert await texts_of(kit.store, last) == ["New c.md\n\nWords.", "New c.md\n\nMany more words."]


async def test_a_job_that_gets_no_further_ends(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is left for later while the store fails, but after five attempts at the same file those behind it go on."""

    async def fail(*_: object) -> None:
        raise StoreError("the store is ill")

    kit.write("a.md", TEXT)
    job = await kit.ingesting.ingest_paths([kit.folder], kit.request())
    with monkeypatch.context() as ill:
        ill.setattr(StoredDocuments, "put_files", fail)
        for _ in range(4):
            with pytest.raises(StoreError, match="ill"):
                await kit.runner.work()
        assert await kit.runner.work()
    job = await kit.ingesting.job(job.id, HERE)
    assert (job.state, job.error) == (JobState.FAILED, "the store is ill (5 attempts)")
    assert (await kit.ingest()).counts == {JobFileState.DONE: 1}


_LAST = "9999-12-31T23:59:59.999999Z"
_SAYS = '{"sender": "human", "text": "Hello %s", "created_at": "%s"}'
_TURNS = ", ".join(_SAYS % (number, _LAST) for number in range(3))
_MAIL = "From: a@b.c\nSubject: Hi\nDate: Fri, 31 Dec 9999 23:59:59 -1200\n\nFirst.\n"


@pytest.mark.parametrize(
    ("name", "content", "sections"),
    [("a.eml", _MAIL, 1), ("conversations.json", f'[{{"uuid": "c", "name": "C", "chat_messages": [{_TURNS}]}}]', 3)],
)
async def test_what_is_from_the_end_of_time_is_read(kit: Kit, name: str, content: str, sections: int) -> None:
    """Its time is passed over: the sections after it would have none, and it would have none in UTC."""
    os.utime(kit.write(name, content), (1, 1))
    async with Sandbox(unsandboxed=True) as reader:
        job = await Kit(kit.store, kit.folder, real_reader=reader).ingest()
    assert (job.counts, job.sections) == ({JobFileState.DONE: 1}, sections)
    [document] = await kit.all()
    assert {memory.created_at.year for memory in await sections_of(kit.store, document)} == {1970}


async def test_a_file_of_several_documents(kit: Kit) -> None:
    """A mailbox has a document for each message."""
    kit.write("box.md", "Preface\nPART message-1\nHello\nPART message-2\nBye\n")
    await kit.ingest()
    assert [(one.part, one.sections) for one in await kit.all()] == [("", 1), ("message-1", 1), ("message-2", 1)]


async def test_files_that_are_gone_are_marked_and_removed_on_request(kit: Kit) -> None:
    """What lies elsewhere stays; a renamed file is still its document."""
    kept, gone = kit.write("f/kept.md", "Kept"), kit.write("f/gone.md", "Gone")
    other = kit.write("g/other.md", "Other")
    await kit.ingest()
    gone.unlink()
    other.unlink()
    kept.rename(kit.folder / "f" / "renamed.md")
    await kit.ingest(kit.folder / "f")
    first, second, third = await kit.all()
    assert (first.uri, first.state) == (gone.as_uri(), DocumentState.MISSING)
    assert (second.uris, second.state) == (((kit.folder / "f" / "renamed.md").as_uri(),), DocumentState.OK)
    assert third.state is DocumentState.OK
    for place in (other, other.parent):
        await kit.ingest(place)
        assert (await kit.ingesting.document(third.id, HERE)).state is DocumentState.OK
    other.parent.rmdir()
    assert (await kit.ingest(other.parent)).counts == {JobFileState.FAILED: 1}
    assert (await kit.ingesting.document(third.id, HERE)).state is DocumentState.OK
    await kit.finish(await kit.ingesting.refresh([third.id], kit.request(), HERE))
    assert (await kit.ingesting.document(third.id, HERE)).state is DocumentState.MISSING
    assert await kit.ingesting.remove_missing("here") == 2
    assert await listed(kit.store) == ["kept.md\n\nKept"]


async def test_what_another_job_read_after_the_walk_is_not_missing(kit: Kit) -> None:
    """It was not there when the folder was walked."""
    kit.write("a.md", TEXT)

    def walk(roots: Sequence[Path], folder: Path) -> Iterator[NewJobFile]:
        yield from list(files_of(roots, folder))
        asyncio.run_coroutine_threadsafe(late(), loop).result(60)

    async def late() -> None:
        await kit.ingest(kit.write("late.md", "Late"))

    loop = asyncio.get_running_loop()
    other = Kit(kit.store, kit.folder)
    other.ingesting = Ingesting(kit.store.documents, other.runner, walk)
    await other.ingest()
    assert [one.state for one in await kit.all()] == [DocumentState.OK] * 2


async def test_a_document_whose_sections_were_deleted_is_read_again(kit: Kit) -> None:
    """Though its file did not change."""
    kit.write("a.md", TEXT)
    await kit.ingest()
    [document] = await kit.all()
    ids = [memory.id for memory in await sections_of(kit.store, document)]
    await kit.store.delete(ids, Filters("here"), dry_run=False)
    assert (await kit.ingest()).counts == {JobFileState.DONE: 1}
    assert len(await listed(kit.store)) == 2


async def test_a_file_outside_the_roots_is_not_read(kit: Kit, tmp_path: Path) -> None:
    """Whether its path says so, or a link."""
    outside = tmp_path / "outside.md"
    outside.write_text("secret", encoding="utf-8")
    (kit.folder / "link.md").symlink_to(outside)
    job = await kit.ingest(outside, kit.folder / "link.md")
    assert job.counts == {JobFileState.FAILED: 2}
    assert await kit.all() == []
    assert kit.reader.read_names == []


async def test_content_that_comes_with_a_call(kit: Kit) -> None:
    """It is a document under its URI, which its next content changes, even one of the same size."""
    request = IngestRequest("here", ("red",), "me")
    for text in ("Alpha", "Gamma"):
        content = FileContent(text.encode(), "A note", "text/x-note")
        job = await kit.ingesting.ingest_content(content, request, uri="https://example.com/note")
        assert (await kit.finish(job)).counts == {JobFileState.DONE: 1}
    [document] = await kit.all()
    assert (document.uri, document.media_type, document.title) == ("https://example.com/note", "text/x-note", "A note")
    assert await texts_of(kit.store, document) == ["A note\n\nGamma"]
    await kit.finish(await kit.ingesting.ingest_content(FileContent(b"Nameless"), request))
    assert (await kit.all())[1].uri.startswith("content:")
    for data, uri in ((b"", None), (b"x" * 25_000_001, None), (b"x", "file:///etc/passwd"), (b"x", "u" * 5_000)):
        with pytest.raises(InvalidArgumentError):
            await kit.ingesting.ingest_content(FileContent(data), request, uri=uri)
    with pytest.raises(InvalidArgumentError, match="is no file"):
        await kit.ingesting.refresh([document.id], request, HERE)


async def test_without_the_embedder_sections_wait_in_the_queue(kit: Kit) -> None:
    """The job is done, words find everything, and whoever drains the queue is woken."""
    kit.embedder.failure = EmbedderError("down")
    for number in range(200):
        kit.write(f"{number}.md", f"Word{number} and more")
    assert (await kit.ingest()).state is JobState.DONE
    assert (await kit.store.read(lambda it: it.queue("here"))).pending == 200
    assert (await worded(kit.store, "Word77", documents=True))[0] == "77.md\n\nWord77 and more"
    assert kit.woken


async def test_one_batch_that_is_late_does_not_make_the_others_wait(kit: Kit) -> None:
    """Only what it held waits in the queue; if the embedder is gone, the breaker in front of it refuses at once."""

    def fail_first() -> None:
        kit.embedder.failure = None if kit.embedder.calls else EmbedderError("the time for embedding ran out")

    kit.embedder.before_call = fail_first
    for number in range(200):
        kit.write(f"{number}.md", f"Word{number} and more")
    assert (await kit.ingest()).sections == 200
    assert (await kit.store.read(lambda it: it.queue("here"))).pending == 64
    assert kit.woken == 1


async def test_what_is_written_anew_without_vectors_wakes_the_queue(kit: Kit) -> None:
    """The embedder is gone when a file is embedded a second time."""

    class Changed(StoredDocuments):
        """Says twice that what is known has changed, when the embedder has just gone."""

        conflicts = 2

        async def put_files(self, job_id: str, files: Sequence[tuple[JobFile, FileChange | None]]) -> IngestJob:
            """Fail at first."""
            kit.embedder.failure = EmbedderError("down")
            if self.conflicts:
                self.conflicts -= 1
                raise ConflictError("it has changed")
            return await super().put_files(job_id, files)

    changed = Changed(SqliteTransactions(kit.store._database, kit.store._now))
    front = Kit(kit.store, kit.folder, documents=changed, embedder=kit.embedder)
    kit.write("a.md", "Some text")
    assert (await front.ingest()).counts == {JobFileState.DONE: 1}
    assert (await kit.store.read(lambda it: it.queue("here"))).pending == 1
    assert front.woken == 1


async def test_many_small_files_share_calls_and_a_large_one_is_whole(kit: Kit) -> None:
    """Sections are embedded by full batches, whichever files they are of."""
    for number in range(100):
        kit.write(f"small-{number:03}.md", f"Text number {number}")
    kit.write("zlarge.md", "".join(f"# H{number}\nText {number}\n" for number in range(150)))
    job = await kit.ingest()
    assert job.sections == 250
    assert [len(texts) for texts, *_ in kit.embedder.calls] == [64, 64, 64, 58]
    large = (await kit.all())[-1]
    assert await texts_of(kit.store, large) == [f"H{number}\n\nText {number}" for number in range(150)]


async def test_a_job_can_be_cancelled(kit: Kit) -> None:
    """What was written stays; a job that has ended stays as it is."""
    kit.write("a.md", TEXT)
    job = await kit.ingesting.ingest_paths([kit.folder], kit.request())
    held = asyncio.Event()

    def cancel() -> None:
        held.set()

    kit.reader.before_read = cancel
    finishing = asyncio.create_task(kit.finish(job))
    await held.wait()
    assert (await kit.ingesting.cancel(job.id, HERE)).state is JobState.CANCELLED
    assert (await finishing).state is JobState.CANCELLED
    assert await kit.all() == []
    assert (await kit.ingesting.cancel(job.id, HERE)).state is JobState.CANCELLED
    kit.reader.before_read = lambda: None
    assert (await kit.ingest()).state is JobState.DONE


async def test_a_machine_that_cannot_read_ends_the_job(kit: Kit) -> None:
    """With the reason, and what fixes it."""

    def refuse() -> None:
        raise SandboxError("there is no box here; set MCP_MEMORY_INGEST_UNSANDBOXED=1")

    kit.write("a.md", TEXT)
    kit.reader.before_read = refuse
    job = await kit.ingest()
    assert (job.state, job.error) == (JobState.FAILED, "there is no box here; set MCP_MEMORY_INGEST_UNSANDBOXED=1")


async def test_a_front_goes_on_with_the_job_of_another(kit: Kit) -> None:
    """The loop of a running front takes up what nobody waits for."""
    kit.write("a.md", TEXT)
    job = await kit.ingesting.ingest_paths([kit.folder], kit.request())
    await kit.store.documents.advance_job(job.id, JobState.READING)
    other = Kit(kit.store, kit.folder)
    loop = asyncio.create_task(other.runner.run())
    assert (await kit.finish(job)).state is JobState.DONE
    loop.cancel()
    assert kit.reader.read_names + other.reader.read_names == ["a.md"]


async def test_a_job_is_waited_for_while_another_front_runs_it(kit: Kit) -> None:
    """A front without the lease reads nothing itself."""
    kit.write("a.md", TEXT)
    other = Kit(kit.store, kit.folder)
    reading, go_on = asyncio.Event(), asyncio.Event()
    prepare = other.runner._preparer.prepare

    async def slow(*arguments: object) -> object:
        reading.set()
        await go_on.wait()
        return await prepare(*arguments)  # type: ignore[arg-type]  # passed on

    other.runner._preparer.prepare = slow  # type: ignore[method-assign, assignment]  # waits for the test
    job = await kit.ingesting.ingest_paths([kit.folder], kit.request())
    theirs = asyncio.create_task(other.finish(job))
    await reading.wait()
    mine = asyncio.create_task(kit.finish(job))
    await until(lambda: kit.seen)
    go_on.set()
    assert (await mine).state is (await theirs).state is JobState.DONE
    assert kit.reader.read_names == []


class Meddling(StoredDocuments):
    """Lets another front write the same files just before the first write."""

    other: Kit | None = None

    async def put_files(self, job_id: str, files: Sequence[tuple[JobFile, FileChange | None]]) -> IngestJob:
        """Write after the other."""
        if self.other is not None:
            (other, self.other) = (self.other, None)
            for _, change in files:
                assert change is not None
                job = await other.store.documents.create_job(NewJob("here", (), ("/",)), [NewJobFile(change.uri)])
                known = JobFile(0, change.uri, JobFileState.DONE)
                await other.store.documents.put_files(job.id, [(known, change)])
                await other.store.documents.advance_job(job.id, JobState.CANCELLED)
        return await super().put_files(job_id, files)


async def test_what_another_process_wrote_meanwhile_is_compared_anew(kit: Kit) -> None:
    """The same sections are not written twice."""
    path = kit.write("a.md", TEXT)
    meddling = Meddling(SqliteTransactions(kit.store._database, kit.store._now))
    front = Kit(kit.store, kit.folder, documents=meddling)
    meddling.other = kit
    job = await front.ingest(path)
    assert job.counts == {JobFileState.UNCHANGED: 1}
    assert len(await listed(kit.store)) == 2


async def test_equal_files_of_one_job_are_one_document(kit: Kit) -> None:
    """The second is compared anew, when the first was written."""
    for name in ("a.md", "b.md", "c.md"):
        kit.write(name, TEXT)
    job = await kit.ingest()
    assert job.counts == {JobFileState.DONE: 1, JobFileState.UNCHANGED: 2}
    [document] = await kit.all()
    assert len(document.uris) == 3
    assert len(await listed(kit.store)) == 2


async def test_documents_are_shown_and_refreshed_within_reach(kit: Kit) -> None:
    """A caller that is bound to another namespace knows nothing of them."""
    kit.write("a.md", TEXT)
    job = await kit.ingest()
    [document] = await kit.ingesting.documents("here", job=job.id)
    shown, sections = await kit.ingesting.show(document.id, HERE, 1)
    assert shown == document
    assert [section.heading for section in sections] == [("One",)]
    assert [one.id for one in await kit.ingesting.jobs("here", 5)] == [job.id]
    refreshed = await kit.finish(await kit.ingesting.refresh([document.id], kit.request(), HERE))
    assert (refreshed.counts, kit.reader.read_names) == ({JobFileState.DONE: 1}, ["a.md", "a.md"])
    stranger = Reach.bound_to("there")
    for ask in (
        kit.ingesting.document(document.id, stranger),
        kit.ingesting.job(job.id, stranger),
        kit.ingesting.cancel(job.id, stranger),
        kit.ingesting.remove([document.id], stranger),
        kit.ingesting.refresh([document.id], kit.request(), stranger),
    ):
        with pytest.raises(NotFoundError):
            await ask
    assert await kit.ingesting.remove([document.id, document.id], HERE) == 1
    assert await listed(kit.store) == []


async def test_a_folder_is_watched_until_it_is_no_longer(kit: Kit) -> None:
    """Only a folder, by its absolute path; who is bound to another namespace cannot end it."""
    watch = await kit.ingesting.watch(kit.folder, kit.request("red"))
    assert (watch.path, watch.asked_by, watch.tags) == (str(kit.folder), "me", ("red",))
    assert await kit.ingesting.watches("here") == [watch]
    for folder in (kit.folder / "none", Path("docs")):
        with pytest.raises(InvalidArgumentError):
            await kit.ingesting.watch(folder, kit.request())
    with pytest.raises(NotFoundError):
        await kit.ingesting.unwatch(watch.id, Reach.bound_to("there"))
    assert await kit.ingesting.unwatch(watch.id, HERE) == watch


_section = st.tuples(st.integers(0, 5), st.sampled_from(["apple", "pear", "plum"]))
_texts = st.lists(_section, max_size=8)


def written(sections: list[tuple[int, str]]) -> str:
    """Return a file of these sections."""
    return "".join(f"# H{heading}\n{text}\n# End\n" for heading, text in sections) or "nothing"


@given(st.lists(_texts, min_size=2, max_size=4))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_however_a_file_is_edited_what_stays_keeps_its_id(
    tmp_path_factory: pytest.TempPathFactory, versions: list[list[tuple[int, str]]]
) -> None:
    """The store holds the file's sections in order, and as many as possible are the ones from before."""
    asyncio.run(_edit(tmp_path_factory.mktemp("edited"), versions))


async def _edit(folder: Path, versions: list[list[tuple[int, str]]]) -> None:
    kit = Kit(SqliteStore(folder / "memory.db"), folder / "docs")
    before: dict[str, list[str]] = {}
    for version in versions:
        path = kit.write("a.md", written(version))
        os.utime(path)
        await kit.ingest(path, is_forced=True)
        [document] = await kit.all()
        found = await sections_of(kit.store, document)
        expected = [f"H{heading}\n\n{text}" for heading, text in version] or ["a.md\n\nnothing"]
        assert [memory.content for memory in found] == expected
        now: dict[str, list[str]] = {}
        for memory in found:
            now.setdefault(memory.content, []).append(memory.id)
        for content, ids in now.items():
            kept = min(len(ids), len(before.get(content, ())))
            assert len(set(ids) & set(before.get(content, ()))) == kept
        before = now
    await kit.store.close()
    audit(folder / "memory.db")
