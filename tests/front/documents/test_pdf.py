"""Reading PDF: paragraphs in reading order, headings, pages; what is left out and what is refused."""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import Iterator

import pytest

from memory_mcp.documents.readers.model import DocumentItem, DocumentSource, Refusal, RefusedError, TextBlock
from memory_mcp.documents.readers.pdf import read
from tests.front.documents.made import Text, pdf, whole

WORDS = "the quick brown fox jumps over the lazy dog while the old grey cat sleeps in the warm sun"


def lines(count: int, x: float = 50, y: float = 700, words: str = WORDS) -> list[Text]:
    """Return ordinary text of so many lines."""
    return [Text(x, y - 12 * number, words) for number in range(count)]


def test_lines_become_paragraphs() -> None:
    """Lines that follow each other are one text; a gap begins another."""
    page = [*lines(3), *lines(2, y=640)]
    assert whole(read, pdf([page])).texts == [" ".join([WORDS] * 3), " ".join([WORDS] * 2)]


def test_columns_are_read_one_after_the_other() -> None:
    """A sentence goes on at the top of the next column, and never beside it."""
    words = "the quick brown fox jumps over the lazy dog"
    page = [*lines(4, words=words), *lines(4, x=320, words=words.replace("dog", "cat"))]
    text = " ".join(whole(read, pdf([page])).texts)
    assert "dog the quick brown fox jumps over the lazy cat" in text
    assert text.index("cat") > text.rindex("dog")


@pytest.mark.parametrize(
    ("above", "below", "joined"),
    [
        ("a long remem-", "brance of it", "a long remembrance of it"),
        ("since the year 2019-", "2024 it grew", "2019-2024"),
        ("written by Meyer-", "Landrut herself", "Meyer-Landrut"),
    ],
)
def test_hyphens_at_the_end_of_a_line(above: str, below: str, joined: str) -> None:
    """A word is joined where it goes on in small letters; else its hyphen is its own."""
    page = [Text(50, 700, above), Text(50, 688, below)]
    assert joined in " ".join(whole(read, pdf([page])).texts)


def test_list_items_stay_apart() -> None:
    """Each item is a block, with the lines that go on below it."""
    page = [
        Text(50, 700, "\u2022 the first item says a good deal about the matter at hand and"),
        Text(60, 688, "goes on"),
        Text(50, 676, "\u2022 the second item says a good deal about the matter at hand and"),
        Text(60, 664, "ends"),
    ]
    assert [text.split(" and ")[-1] for text in whole(read, pdf([page])).texts] == ["goes on", "ends"]


def test_larger_lines_are_headings() -> None:
    """Larger lines are headings in the order of their sizes, bold ones below them."""
    page = [
        Text(50, 760, "A Book", 20),
        Text(50, 720, "First Chapter", 14),
        *lines(3),
        Text(50, 640, "A bold word", bold=True),
        *lines(3, y=620),
        Text(50, 550, "Second Chapter", 14),
        *lines(3, y=520),
    ]
    found = whole(read, pdf([page]))
    assert [block.heading for block in found.blocks] == [
        ("A Book", "First Chapter"),
        ("A Book", "First Chapter", "A bold word"),
        ("A Book", "Second Chapter"),
    ]


def test_the_outline_names_the_headings() -> None:
    """With an outline its entries alone are headings, written as in the text; one that is not in the text stays."""
    page = [Text(50, 720, "1.1 Ships"), *lines(2), Text(50, 640, "Large but no heading", 20), *lines(2, y=600)]
    outline = [("Ships", 1), ("Nowhere", 1), ("Harbours", 2)]
    found = whole(read, pdf([page, [Text(50, 720, "Harbours"), *lines(2)]], outline))
    assert found.headings == ["1.1 Ships", "Nowhere", "Harbours"]
    assert found.blocks[0].heading == ("1.1 Ships",)
    assert "Large but no heading" in found.texts


def test_a_heading_without_text_is_not_lost() -> None:
    """A heading that no text follows is a block too."""
    page = [*lines(6), Text(50, 500, "The End", 20)]
    assert whole(read, pdf([page])).texts[-1] == "The End"


def test_running_lines_are_left_out() -> None:
    """Running headers, footers and page numbers go, whatever their number; the text between them stays."""
    pages = [
        [
            Text(50, 780, "Annual report"),
            *lines(3, words=f"{WORDS} {number}ish"),
            Text(290, 30, f"{number}"),
            Text(50, 20, f"Version 7 of page {number}"),
        ]
        for number in range(1, 13)
    ]
    found = whole(read, pdf(pages))
    text = "\n".join(found.texts)
    assert "Annual report" not in text
    assert "Version" not in text
    assert [block.page for block in found.blocks] == list(range(1, 13))
    assert all(f"{number}ish" in block.text for number, block in enumerate(found.blocks, start=1))
    assert not any(text.strip().isdigit() for text in found.texts)


def test_pages_that_begin_alike_keep_their_text() -> None:
    """Lines that many pages have at their edge are text where the text goes on right below them."""
    page = lines(5, y=780)
    assert whole(read, pdf([page] * 4)).texts == [" ".join([WORDS] * 5)] * 4


def test_lines_that_look_alike_are_text() -> None:
    """Lines at the same place whose numbers do not count the pages are no running lines."""
    pages = [
        [Text(50, 780, f"Invoice {1000 + number}"), *lines(3), Text(290, 30, f"{7 * number}")] for number in (1, 2, 3)
    ]
    texts = whole(read, pdf(pages)).texts
    assert [text for text in texts if text[0] in "I1234567"] == [
        "Invoice 1001",
        "7",
        "Invoice 1002",
        "14",
        "Invoice 1003",
        "21",
    ]


def test_the_first_line_of_a_single_page_stays() -> None:
    """What only one page has at its edge is text; its page number is not."""
    found = whole(read, pdf([[Text(50, 780, "To whom it may concern"), *lines(4), Text(290, 30, "- 1 -")]]))
    assert found.texts[0] == "To whom it may concern"
    assert len(found.texts) == 2


@pytest.mark.parametrize(("given", "title"), [("Annual report", "Annual report"), ("untitled", None), ("x.docx", None)])
def test_title(given: str, title: str | None) -> None:
    """The title is the file's own, unless its program made it up."""
    found = whole(read, pdf([lines(1)], title=given))
    assert found.header.title == title
    assert found.header.pages == 1


def test_pages_come_one_by_one() -> None:
    """The first page's text is there before the last page was read: a long file is never in memory as a whole."""
    content = pdf([lines(20) for _ in range(300)])
    file = Counted(content)
    items = read(DocumentSource(file, "long.pdf"))
    next(items)
    next(items)
    first = file.bytes_read
    rest = list(items)
    assert len(rest) == 299
    assert file.bytes_read > 2 * first


class Counted(io.BytesIO):
    """A file that counts what is read of it."""

    bytes_read = 0

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        count = super().readinto(buffer)
        self.bytes_read += count
        return count


def without_text() -> Iterator[tuple[str, bytes, Refusal]]:
    """Yield files that are refused."""
    good = pdf([lines(3)])
    yield "no text", pdf([[]]), Refusal.NO_TEXT_LAYER
    yield "cut", good[: len(good) // 4], Refusal.DAMAGED
    yield "no PDF", b"%PDF-1.7\nnothing", Refusal.DAMAGED
    yield "empty", b"", Refusal.DAMAGED


@pytest.mark.parametrize(("content", "refusal"), [pytest.param(*case, id=name) for name, *case in without_text()])
def test_refused(content: bytes, refusal: Refusal) -> None:
    """What has no text is refused with the reason."""
    with pytest.raises(RefusedError) as error:
        whole(read, content)
    assert error.value.refusal is refusal
    assert error.value.sentence.count(". ") >= 1


def test_damaged_pages_are_named() -> None:
    """The whole pages are read; then the refusal names the damaged one."""
    content = pdf([lines(2, words=f"{WORDS} {number * 100}ish") for number in (1, 2, 3)])
    page = re.search(rb"(?<=\n8 0 obj\n)<</Type/Page/.*", content)
    assert page is not None
    broken = content.replace(page[0], b"null".ljust(len(page[0])))
    items = read(DocumentSource(io.BytesIO(broken), "broken.pdf"))
    blocks: list[DocumentItem] = []
    with pytest.raises(RefusedError, match=r"\(2\)") as error:
        blocks.extend(items)
    assert error.value.refusal is Refusal.DAMAGED
    assert [block.page for block in blocks if isinstance(block, TextBlock)] == [1, 3]


def test_a_stream_that_unpacks_to_much_ends() -> None:
    """A page whose content unpacks to 64 MiB of blanks has no text."""
    packed = zlib.compress(b" " * 2**26, 9)
    stream = b"<</Length %d/Filter/FlateDecode>>stream\n%s\nendstream" % (len(packed), packed)
    content = pdf([[]]).replace(b"<</Length 0>>stream\nendstream", stream)
    with pytest.raises(RefusedError) as error:
        whole(read, content)
    assert error.value.refusal is Refusal.NO_TEXT_LAYER
