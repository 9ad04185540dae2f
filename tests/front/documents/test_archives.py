"""Bounds of zip archives and XML, below all readers of either."""

from __future__ import annotations

import io
import zipfile

import pytest

from memory_mcp.documents.readers import xml, zipped
from memory_mcp.documents.readers.model import Refusal, RefusedError
from tests.front.documents.made import archive


def unpack(content: bytes, names: tuple[str, ...]) -> None:
    """Read members of an archive to their ends."""
    with zipped.opened(io.BytesIO(content)) as made:
        for name in names:
            with made.open(name) as member:
                while member.read(2**16):
                    pass


def refusal_of(content: bytes, *names: str) -> Refusal:
    """Return why members of an archive are not read."""
    with pytest.raises(RefusedError) as error:
        unpack(content, names)
    return error.value.refusal


def test_names_are_found_however_they_are_written() -> None:
    """Case, backslashes and a slash in front make no difference."""
    with zipped.opened(io.BytesIO(archive({"Word\\Document.xml": "x"}))) as made:
        assert "/word/document.xml" in made
        assert made.read("word/document.xml") == b"x"


def test_a_bomb_is_refused_before_it_is_unpacked() -> None:
    """By its ratio, its size, or the sum of what is opened."""
    bomb = archive({"a": b" " * 2**24})
    assert refusal_of(bomb, "a") is Refusal.UNPACKS_TOO_LARGE
    assert refusal_of(bomb.replace(b"\0\0\0\1", b"\0\0\0\x7f"), "a") is Refusal.UNPACKS_TOO_LARGE
    small = archive({"a": b" " * 2**22})
    assert refusal_of(small, *["a"] * 100) is Refusal.UNPACKS_TOO_LARGE


def test_a_lie_about_the_size_is_found() -> None:
    """No more is unpacked than the archive's list says, and then the checksum is wrong."""
    content = archive({"a": b"b" * 100_000})
    assert (
        refusal_of(content.replace((100_000).to_bytes(4, "little"), (50_000).to_bytes(4, "little")), "a")
        is Refusal.DAMAGED
    )


def test_too_many_members() -> None:
    """An archive of too many parts is refused; one with a huge list before the list is taken apart."""
    assert refusal_of(archive({f"{number}": "" for number in range(10_001)})) is Refusal.TOO_LARGE
    assert refusal_of(archive({f"{number:0>60000}": "" for number in range(80)})) is Refusal.TOO_LARGE


def test_other_troubles() -> None:
    """A missing member, one that needs a password, a method that no office program uses, and what is no archive."""
    assert refusal_of(archive({"a": "x"}), "b") is Refusal.DAMAGED
    encrypted = bytearray(archive({"a": "x"}))
    encrypted[encrypted.index(b"PK\1\2") + 8] |= 1
    assert refusal_of(bytes(encrypted), "a") is Refusal.PASSWORD_NEEDED
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_LZMA) as made:
        made.writestr("a", "x")
    assert refusal_of(file.getvalue(), "a") is Refusal.NO_READER
    assert refusal_of(b"") is Refusal.DAMAGED


def test_xml_events_and_trees() -> None:
    """Names have the reader's prefixes whatever the file's are; trees come as soon as they end."""
    content = (
        '<x:a xmlns:x="urn:one" xmlns:y="urn:two" x:k="v" k="w">1<y:b><x:c>2</x:c>3</y:b><d xmlns="urn:no"/></x:a>'
    )
    prefixes = {"urn:one": "p", "urn:two": ""}
    start, text, tree, other, other_end, end = xml.events(io.BytesIO(content.encode()), prefixes, {"b"})
    assert start == xml.StartTag("p:a", {"p:k": "v", "k": "w"})
    assert (text, other, other_end) == ("1", xml.StartTag("urn:no d", {}), xml.EndTag("urn:no d"))
    assert end == xml.EndTag("p:a")
    assert isinstance(tree, xml.Element)
    assert (tree.name, tree.text(), [child.name for child in tree.elements()]) == ("b", "23", ["p:c"])
    root = xml.tree(io.BytesIO(content.encode()), prefixes)
    assert [element.name for element in root.walk()] == ["b", "p:c", "urn:no d"]
    assert root.find("b", "p:c") is not None
    assert root.find("b", "p:d") is None


def test_names_of_html_are_characters() -> None:
    """XHTML takes &nbsp; and the like from a DTD, which is not read."""
    content = (
        '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.1//EN" "http://localhost/none.dtd"><p>a&nbsp;b&eacute;&none;</p>'
    )
    assert xml.tree(io.BytesIO(content.encode()), {}).text() == "a\xa0b\xe9"


@pytest.mark.parametrize(
    ("content", "refusal"),
    [
        ('<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', Refusal.ENTITIES),
        ('<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>', Refusal.ENTITIES),
        ('<!DOCTYPE a [<!ENTITY % b SYSTEM "file:///etc/passwd">%b;]><a/>', Refusal.ENTITIES),
        ("<a>" * 300, Refusal.TOO_DEEP),
        ("<a>" + "<b/>" * 1_000 + "</a>", Refusal.TOO_LARGE),
        ("<a><b></a>", Refusal.DAMAGED),
        ("", Refusal.DAMAGED),
        ('<?xml version="1.0" encoding="nonsense"?><a/>', Refusal.DAMAGED),
        ('<?xml version="1.0" encoding="shift_jis"?><a/>', Refusal.DAMAGED),
    ],
    ids=["entity", "file", "parameter", "deep", "large", "not well-formed", "empty", "no encoding", "multi-byte"],
)
def test_xml_is_refused(content: str, refusal: Refusal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is wrong with XML has its reason."""
    monkeypatch.setattr(xml, "MAX_TREE", 999)
    with pytest.raises(RefusedError) as error:
        xml.tree(io.BytesIO(content.encode()), {})
    assert error.value.refusal is refusal
