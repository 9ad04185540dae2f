"""Changing many memories at once, with an undo, and the trash."""

from __future__ import annotations

from tests.web.browser import SMALL
from tests.web.conftest import SignIn, Site, store


def test_many_are_tagged_and_the_undo_takes_it_back(sign_in: SignIn, site: Site) -> None:
    """A range is selected by shift; a key selects too; what is changed is counted first."""
    store(site, *(f"bulk item {n}" for n in range(6)), namespace="bulk", tags=["old"])
    tab = sign_in("/?namespace=bulk")
    tab.click("[data-select] >> nth=0")
    tab.click("[data-select] >> nth=3", modifiers=["Shift"])
    tab.wait(".bulk >> text=4 selected")
    tab.press("j", "j")
    tab.press("x")
    tab.shot("bulk-selected")
    assert tab.violations() == []
    tab.click(".bulk >> text=Select all 6 shown")
    tab.wait(".bulk >> text=6 selected")
    tab.click("[data-change=tag]")
    tab.wait("dialog[open] >> text=Add tags to 6 memories")
    tab.fill("dialog[open] [name=value]", "new, fine")
    tab.press("Enter")
    tab.wait(".toast >> text=Tagged 6 memories")
    tab.until("document.querySelectorAll('#hits .chip').length === 18")
    assert tab.count(".news:visible") == 0  # its own changes are no news
    tab.shot("bulk-undo")
    tab.click(".toast >> text=Undo")
    tab.until("document.querySelectorAll('#hits .chip').length === 6")
    assert tab.errors == []


def test_all_that_match_are_deleted_and_restored(sign_in: SignIn, site: Site) -> None:
    """Also those that are not shown; the trash has them, restores them together, and its undo deletes them again."""
    more = {"namespace": "crowd", "tags": ["crowd", "many"]}
    store(site, *(f"many of them, number {n}" for n in range(33)), **more)
    store(site, "many of them, in a conversation", conversation_id="c", **more)
    store(site, "few", namespace="crowd", tags=["many"])
    tab = sign_in("/?namespace=crowd&tags=crowd&tags=many&tag_match=all&conversation_id=c")
    tab.click("[aria-label='Remove this filter']")
    tab.wait("#summary >> text=34 memories")
    store(site, "one of them that is not shown", namespace="crowd", tags=["crowd", "many"])
    tab.click("[data-select] >> nth=0")
    tab.click(".bulk >> text=Select all 34 that match")
    tab.wait(".toast >> text=The list has changed")
    tab.click("[data-select] >> nth=0")
    tab.click(".bulk >> text=Select all 35 that match")
    tab.wait(".bulk >> text=35 selected")
    tab.click("[data-change=delete]")
    tab.wait("text=Delete 35 memories?")
    tab.click("#confirm-yes")
    tab.wait(".toast >> text=Deleted 35 memories")
    tab.wait("text=No memory matches these filters")
    tab.goto("/trash?namespace=crowd")
    assert "35 deleted memories" in tab.text("#summary")
    tab.click("[data-more]")
    tab.until("document.querySelectorAll('[data-row]').length === 35")
    tab.click("[data-select] >> nth=0")
    tab.click(".bulk >> text=Select all 35 shown")
    tab.click("[data-change=restore]")
    tab.wait("text=The trash is empty")
    tab.shot("trash-empty")
    tab.click(".toast >> text=Undo")
    tab.until("document.querySelector('#summary')?.textContent.includes('35')")
    assert tab.errors == []


def test_what_was_done_before_an_error_can_be_undone(sign_in: SignIn, site: Site) -> None:
    """Of 120 memories 100 are deleted, then the front answers no more: that is said, with an undo of the 100."""
    with site.client("writer-of-many") as client:
        items = [{"content": f"interrupted {n}", "namespace": "interrupted", "type": "t"} for n in range(120)]
        client.tool("memory_store_many", items=items[:60])
        client.tool("memory_store_many", items=items[60:])
    tab = sign_in("/?namespace=interrupted&type=t")
    tab.js("""(() => {
      const real = window.fetch;
      let changes = 0;
      window.fetch = async (path, options) => {
        if (path === '/do/memories.change' && (changes += 1) === 2) throw new TypeError('it is gone');
        return real(path, options);
      };
    })()""")
    tab.click("[data-select] >> nth=0")
    tab.click(".bulk >> text=Select all 120 that match")
    tab.click("[data-change=delete]")
    tab.click("#confirm-yes")
    tab.wait(".toast.bad >> text=The server no longer answers")
    tab.wait("#summary >> text=20 memories")
    tab.shot("bulk-interrupted")
    tab.wait(".bulk >> text=20 selected")
    tab.click(".toast:has-text('Deleted 100 memories') >> text=Undo")
    tab.wait(".toast >> text=Undid 100 changes")
    tab.wait("#summary >> text=120 memories")


def test_what_changed_meanwhile_is_named(sign_in: SignIn, site: Site) -> None:
    """An undo leaves it as it is, and undoes the rest."""
    ids = store(site, "stays as others want it", "is undone", namespace="meanwhile")
    tab = sign_in("/?namespace=meanwhile")
    tab.click("[data-select] >> nth=0")
    tab.click(".bulk >> text=Select all 2 shown")
    tab.click("[data-change=type]")
    tab.fill("dialog[open] [name=value]", "fact")
    tab.press("Enter")
    tab.wait(".toast >> text=Set the type of 2 memories")
    with site.client("other-writer") as client:
        client.tool("memory_update", id=ids[0], content="others want it so")
    tab.click(".toast >> text=Undo")
    tab.wait("dialog[open] >> text=1 memory was left as it is")
    tab.wait(".toast >> text=Undid 1 change")
    assert ids[0] in tab.text("dialog[open]")
    tab.shot("bulk-refused")


def test_the_trash_is_emptied_for_good(sign_in: SignIn, site: Site) -> None:
    """One by one or all at once, after a question that says what it means."""
    ids = store(site, "for good 1", "for good 2", "for good 3", namespace="gone")
    with site.client("deleter") as client:
        for memory_id in ids:
            client.tool("memory_delete", id=memory_id, namespace="gone")
    tab = sign_in("/trash?namespace=gone")
    tab.shot("trash")
    assert tab.violations() == []
    tab.click("[data-row]:has-text('for good 2') [data-restore]")
    tab.wait("text=Restored 1 memory")
    tab.click("[data-row]:has-text('for good 3') [data-purge]")
    tab.wait("text=cannot be undone")
    tab.shot("trash-sure")
    tab.click("#confirm-yes")
    tab.until("document.querySelectorAll('[data-row]').length === 1")
    tab.click("[data-empty]")
    tab.click("#confirm-yes")
    tab.wait("text=The trash is empty")
    small = sign_in("/?namespace=gone", size=SMALL, scheme="dark")
    assert small.count("[data-row]") == 1
    small.click("[data-select]")
    small.shot("bulk-small-dark")
    assert small.js("document.documentElement.scrollWidth <= innerWidth")
