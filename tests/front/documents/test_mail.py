"""E-mail: one document a message, one for each attached file; the same text once."""

from __future__ import annotations

from datetime import UTC, datetime
from email.message import EmailMessage

import pytest

from memory_mcp.documents.readers.model import Refusal
from tests.front.documents.reading import refused, told


def _mail(text: str = "Good morning.", **headers: str) -> EmailMessage:
    mail = EmailMessage()
    for name, value in {"From": "Ana <ana@example.org>", "To": "b@example.org", "Subject": "Hello", **headers}.items():
        mail[name] = value
    mail.set_content(text)
    return mail


def test_message() -> None:
    """Addresses and subject are text, subject and date are known, paragraphs are blocks."""
    mail = told(_mail("One.\n\nTwo.", Subject="Grüße ☸", Date="Tue, 04 Mar 2025 10:00:00 +0100").as_bytes(), "a.eml")
    (header,) = mail.headers
    assert (header.title, header.media_type) == ("Grüße ☸", "message/rfc822")
    assert header.created_at == datetime(2025, 3, 4, 9, tzinfo=UTC)
    assert mail.texts[0].startswith("From: Ana <ana@example.org>\nTo: b@example.org\n")
    assert mail.texts[1:] == ["One.", "Two."]


def test_alternatives() -> None:
    """Of the same text in two forms one is read: the plain one, unless it is empty."""
    both, only = _mail("plain"), _mail(" ")
    for mail in (both, only):
        mail.add_alternative("<html><body><p>marked <b>up</b></p></body></html>", subtype="html")
    assert told(both.as_bytes()).texts[1:] == ["plain"]
    assert told(only.as_bytes()).texts[1:] == ["marked up"]


def test_attachments() -> None:
    """Attached files are documents, read by what they are; those without a reader say so."""
    mail = _mail()
    mail.add_attachment(b"name;town\nTove;Oslo\n", maintype="application", subtype="octet-stream", filename="Gäste.csv")
    mail.add_attachment(b"\x89PNG\r\n\x1a\n\0\0", maintype="image", subtype="png", filename="a.png")
    mail.add_attachment(b"\x89PNG\r\n\x1a\n\0\0", maintype="image", subtype="png", filename="b.png", cid="<1>")
    mail.add_attachment("same name", filename="Gäste.csv")
    found = told(mail.as_bytes(), "a.eml")
    assert [(header.part, header.title) for header in found.headers] == [
        ("", "Hello"),
        ("Gäste.csv", "Gäste.csv"),
        ("a.png", "a.png"),
        ("3-Gäste.csv", "Gäste.csv"),
    ]
    assert found.texts[0].endswith("Attached: Gäste.csv, a.png, Gäste.csv")
    assert [block.text for block in found.document("Gäste.csv")] == ["Tove | Oslo"]
    refusals = [header.refused.refusal if header.refused else None for header in found.headers]
    assert refusals == [None, None, Refusal.NO_READER, None]


def test_forwarded() -> None:
    """A message in a message is read, and named is what is attached to it, but not read: one level deep."""
    inner = _mail("inner words", Subject="Inner")
    inner.add_attachment("too deep", filename="deep.txt")
    outer = _mail("outer words")
    outer.add_attachment(inner)
    found = told(outer.as_bytes(), "a.eml")
    assert [header.title for header in found.headers] == ["Hello", "Inner"]
    assert "deep.txt" in found.texts[2]
    assert found.texts[3:] == ["inner words"]


@pytest.mark.parametrize("text", ["-----BEGIN PGP MESSAGE-----\nhIwDY\n-----END PGP MESSAGE-----\n", None])
def test_encrypted(text: str | None) -> None:
    """An encrypted message is refused with its subject and addresses kept."""
    mail = _mail(text or "")
    if text is None:
        mail.replace_header("Content-Type", "application/pkcs7-mime; smime-type=enveloped-data")
    (header,) = told(mail.as_bytes(), "a.eml").headers
    assert header.refused is not None
    assert header.refused.refusal is Refusal.ENCRYPTED
    assert header.title == "Hello (From: Ana <ana@example.org>; To: b@example.org)"


def test_partly_encrypted() -> None:
    """Of a message with an encrypted part the rest is read, without the armour."""
    found = told(
        _mail("See:\n\n-----BEGIN PGP MESSAGE-----\nhIwDY\n-----END PGP MESSAGE-----\n\nBye").as_bytes(), "a.eml"
    )
    assert found.texts[1:] == ["See:", "Bye"]


def test_mailbox() -> None:
    """Each message is a document whose name stays when others are removed; From is unquoted."""
    first = b"From a@b Mon Sep  1 08:00:00 2025\n" + _mail("one", **{"Message-ID": "<1@x>"}).as_bytes() + b"\n"
    second = b"From a@b Mon Sep  1 09:00:00 2025\n" + _mail(">From here\n>>From there").as_bytes() + b"\n"
    both, alone = told(first + second, "in.mbox"), told(second, "in.mbox")
    assert len(both.headers) == 2
    assert both.headers[1] == alone.headers[0]
    assert alone.texts[1:] == ["From here\n>From there"]
    twice = told(first + first, "in.mbox")
    assert twice.headers[1].part == f"{twice.headers[0].part}-2"


def test_bad_message_in_mailbox() -> None:
    """A message that cannot be read costs itself."""
    bad = (
        b"From a@b Mon Sep  1 08:00:00 2025\nFrom: x\nTo: y\nSubject: z\n\n\xff\xfe\x81\xd5\xa5Aw\xd5ful\xc7 a\xd1\n\n"
    )
    good = b"From a@b Mon Sep  1 09:00:00 2025\n" + _mail("good").as_bytes() + b"\n"
    found = told(bad + good, "in.mbox")
    assert found.headers[0].refused is not None
    assert found.headers[1].refused is None
    assert found.texts[-1] == "good"


@pytest.mark.parametrize(
    ("raw", "subject"),
    [
        (b"=?iso-8859-1?q?Gr=FC=DFe?= und =?utf-8?b?8J+Yig==?=", "Grüße und 😊"),
        ("Grüße roh".encode(), "Grüße roh"),
        ("Grüße roh".encode("cp1252"), "Grüße roh"),
        (b"=?no-such?q?Gr=FC=DFe?=", "Grüße"),
        (b"=?utf-8?b?A?= x", None),
        (b"folded\n over lines", "folded over lines"),
    ],
)
def test_subjects(raw: bytes, subject: str | None) -> None:
    """Subjects are decoded whatever program wrote them; broken ones are no error."""
    found = told(b"From: a@b\nTo: c@d\nSubject: " + raw + b"\nDate: not a date\n\ntext\n", "a.eml")
    assert subject is None or found.headers[0].title == subject
    assert found.headers[0].created_at is None


def test_nested_parts() -> None:
    """Parts nested without end are refused."""
    data = b"From: a@b\nTo: c@d\nSubject: x\n"
    for number in range(1_000):
        data += b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (number, number)
    assert refused(data, "a.eml") is Refusal.TOO_DEEP
