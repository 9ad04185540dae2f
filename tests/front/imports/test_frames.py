"""What a reader sends arrives as it is, or as a remark: no record costs another."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from memory_mcp.documents.sandbox.control import LENGTH
from memory_mcp.imports import frames
from memory_mcp.imports.model import PeerItem, PeerRecord, Remark

AT = datetime(2024, 5, 6, 7, 8, 9, 10, UTC)
ANY_TEXT = st.text(st.characters(exclude_categories=()))
"""With halves of characters: programs in JavaScript cut texts within an emoji."""
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=10,
)


def arrived(sent: bytes) -> list[PeerItem]:
    """Return what comes out of the pipe."""
    found: list[PeerItem] = []
    while sent:
        (size,) = LENGTH.unpack(sent[: LENGTH.size])
        item = frames.unpacked(sent[LENGTH.size : LENGTH.size + size])
        assert item is not None
        found.append(item)
        sent = sent[LENGTH.size + size :]
    return found


def whole(value: object) -> object:
    """Return a JSON value with a sign in place of each half of a character."""
    if isinstance(value, str):
        return "".join("\N{REPLACEMENT CHARACTER}" if "\ud800" <= each <= "\udfff" else each for each in value)
    if isinstance(value, list):
        return [whole(each) for each in value]
    return {whole(name): whole(each) for name, each in value.items()} if isinstance(value, dict) else value


@given(ANY_TEXT, ANY_TEXT, st.lists(ANY_TEXT, max_size=3), st.dictionaries(ANY_TEXT, ANY_JSON, max_size=3))
def test_a_record_arrives(source_id: str, content: str, tags: list[str], metadata: dict[str, object]) -> None:
    """Halves of characters are replaced, which is said."""
    *said, record = arrived(frames.packed(PeerRecord(source_id, content, AT, AT, tuple(tags), metadata=metadata)))
    texts = [source_id, content, *tags, metadata]
    assert isinstance(record, PeerRecord)
    assert [record.source_id, record.content, *record.tags, record.metadata] == [whole(text) for text in texts]
    assert (record.created_at, record.updated_at) == (AT, AT)
    assert {remark.what for remark in said if isinstance(remark, Remark)} == (
        set() if [whole(text) for text in texts] == texts else {frames.HALVES.what}
    )


def test_what_no_record_can_hold_is_named() -> None:
    """Nested too deeply, for the reader or for the front, or too large."""
    nested: object = "deep"
    for depth in range(2000):
        nested = [nested]
        if depth in {300, 1999}:
            sent = frames.packed(PeerRecord("deep", "text", AT, AT, metadata={"nested": nested}))
            assert arrived(sent) == [Remark("bad", frames.UNFIT.what, "deep")]
    sent = frames.packed(PeerRecord("large\ud83d", "x" * frames.MAX_FRAME, AT, AT))
    assert arrived(sent) == [Remark("bad", frames.UNFIT.what, "large\N{REPLACEMENT CHARACTER}")]


def test_a_remark_controls_no_terminal() -> None:
    """Whatever the source has as an id."""
    sent = frames.packed(Remark("bad", "its time\x1b[2J is none", "\x1b]0;title\x07a\nb"))
    assert arrived(sent) == [Remark("bad", "its time [2J is none", " ]0;title a b")]
