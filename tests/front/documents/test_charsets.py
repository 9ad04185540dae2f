"""Encodings: UTF-8, marks, what is declared, what is guessed; refused where it is not sure."""

from __future__ import annotations

import pytest

from memory_mcp.documents.readers.model import Refusal
from tests.front.documents.reading import refused, told

GERMAN = "Für die Gäste lag der Schlüssel schön unter dem großen Topf; das hätte ich nie geglaubt."
FRENCH = "L'été était très chaud cette année, et les élèves ont préféré rester près de la rivière."
POLISH = "Wszyscy ludzie rodzą się wolni i równi pod względem swej godności i swych praw, choć różni."
CZECH = "Všichni lidé rodí se svobodní a sobě rovní co do důstojnosti a práv, řekl tišeji."
RUSSIAN = "Однажды, в студеную зимнюю пору, я из лесу вышел; был сильный мороз."
GREEK = "Όλοι οι άνθρωποι γεννιούνται ελεύθεροι και ίσοι στην αξιοπρέπεια και τα δικαιώματα."
JAPANESE = "すべての人間は、生まれながらにして自由であり、かつ、尊厳と権利とについて平等である。"
CHINESE = "人人生而自由,在尊严和权利上一律平等。他们赋有理性和良心,并应以兄弟关系的精神相对待。"
KOREAN = "모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다."


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (GERMAN, "cp1252"),
        (FRENCH, "cp1252"),
        (FRENCH, "latin-1"),
        ("It’s the tailor’s “best” coat – at 15,50 €.", "cp1252"),
        ("Just one café.", "cp1252"),
        (POLISH, "cp1250"),
        (POLISH, "iso8859-2"),
        (CZECH, "cp1250"),
        (RUSSIAN, "cp1251"),
        (RUSSIAN, "koi8-r"),
        (RUSSIAN, "cp866"),
        (GREEK, "cp1253"),
        (JAPANESE, "cp932"),
        (JAPANESE, "euc_jp"),
        (CHINESE, "gb18030"),
        (KOREAN, "cp949"),
        (GERMAN, "utf-8"),
        (GERMAN, "utf-8-sig"),
        (GERMAN, "utf-16"),
        (GERMAN, "utf-16-le"),
        (GERMAN, "utf-16-be"),
        (GERMAN, "utf-32"),
    ],
)
def test_encodings(text: str, encoding: str) -> None:
    """A text comes out as it was written, whatever it was written in."""
    assert told(text.encode(encoding), "note.txt").texts == [text]


@pytest.mark.parametrize("data", [b"Aw\xd5ful \xc7t\xd1", GERMAN.encode() + b"\xff\xe4", b"won\xd5t"])
def test_unsure(data: bytes) -> None:
    """Bytes that fit no encoding well are refused, never stored as mojibake."""
    assert refused(data, "note.txt") is Refusal.ENCODING_UNSURE


def test_declared() -> None:
    """A page's own word decides where UTF-8 does not fit, and is not believed where the text looks wrong then."""
    page = '<html><head><meta charset="{}"></head><body><p>{}</p></body></html>'
    assert told(page.format("iso-8859-2", CZECH).encode("iso-8859-2")).texts == [CZECH]
    assert told(page.format("iso-8859-1", GREEK).encode("cp1253")).texts == [GREEK]
    assert told(page.format("no-such", FRENCH).encode("cp1252")).texts == [FRENCH]
    assert told(page.format("hex", FRENCH).encode("cp1252")).texts == [FRENCH]
    assert told(page.format("iso-8859-1", GERMAN).encode()).texts == [GERMAN]
