"""Tells a file's media type: by its content first, then by what its sender says and its name."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import BinaryIO, Final

from memory_mcp.documents.readers import charsets, ole2, whatsapp, zipped
from memory_mcp.documents.readers.model import DocumentSource, Refusal, RefusedError

HEAD_BYTES: Final = 64 * 1024

_SOURCE: Final = "text/x-source"
"""Our name for code of any language."""

_SUFFIXES: Final = {
    "text/markdown": ".md .markdown .mdown .mkd .mdx .qmd .rmd",
    "text/html": ".html .htm .xhtml .xht .shtml",
    "text/csv": ".csv .tsv .psv",
    "application/json": ".json .geojson .jsonc .webmanifest",
    "application/jsonl": ".jsonl .ndjson",
    "application/x-ipynb+json": ".ipynb",
    "message/rfc822": ".eml",
    "application/mbox": ".mbox .mbx",
    "text/plain": ".txt .text .rst .adoc .org .tex .log .srt .vtt .xml .yaml .yml .toml .ini .cfg .conf .po",
    _SOURCE: (
        ".py .pyi .pyx .js .mjs .cjs .jsx .ts .tsx .mts .vue .svelte .java .kt .kts .scala .groovy .c .h .cc .cpp .cxx "
        ".hpp .hh .m .mm .cs .fs .vb .go .rs .swift .dart .rb .php .pl .pm .lua .r .jl .ex .exs .erl .hrl .hs .ml .mli "
        ".clj .cljs .el .lisp .scm .sh .bash .zsh .fish .ps1 .bat .sql .proto .graphql .css .scss .sass .less .zig "
        ".nim .sol .tf .cmake .mk .gradle .asm .s .v .sv .vhd .f90 .pas .d"
    ),
}
_BY_SUFFIX: Final = {suffix: kind for kind, suffixes in _SUFFIXES.items() for suffix in suffixes.split()}
_BY_NAME: Final = {
    "makefile": _SOURCE,
    "dockerfile": _SOURCE,
    "rakefile": _SOURCE,
    "gemfile": _SOURCE,
    "jenkinsfile": _SOURCE,
    "cmakelists.txt": _SOURCE,
}
_TEXTS: Final = frozenset(_SUFFIXES)
"""What a sender's word is taken for, where neither content nor name tells."""

_MAY_BE_JSON: Final = (None, "text/plain", "application/json", "application/jsonl", "application/x-ipynb+json")
_MAY_BE_OTHER: Final = (None, "text/plain", "text/html", "message/rfc822", "application/mbox")
"""Names that say little: what the text looks like counts for more."""

_OFFICE: Final = "application/vnd.openxmlformats-officedocument."
_OPEN: Final = "application/vnd.oasis.opendocument."
_ARCHIVES: Final = (b"\x1f\x8b", b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07", b"BZh", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd")
_PICTURES: Final = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"II*\x00", b"MM\x00*", b"BM", b"8BPS")

_HTML: Final = re.compile(
    r"(?><\?xml[^>]*>|<!--.*?-->|\s+)*+<(?:!doctype\s+html|html|head|body)\b", re.DOTALL | re.IGNORECASE
)
_SVG: Final = re.compile(r"(?><\?xml[^>]*>|<!--.*?-->|<!DOCTYPE svg[^>]*>|\s+)*+<svg\b", re.DOTALL)
_MBOX: Final = re.compile(r"From \S+.*\d{4}\s*\n[A-Za-z-]+:|From -[^\n]*\n[A-Za-z-]+:")
_MAIL_HEADERS: Final = re.compile(r"(?:[A-Za-z][A-Za-z0-9-]*:[^\n]*\n(?:[ \t][^\n]*\n)*)+")
_MAIL_NAMES: Final = re.compile(
    r"^(From|To|Subject|Date|Message-ID|Received|Return-Path|MIME-Version|Delivered-To|X-Mailer):",
    re.IGNORECASE | re.MULTILINE,
)
_JSON: Final = re.compile(r'\s*(?:\{\s*(?:"|\})|\[\s*(?:[{\["\]\d-]|true|false|null))')
_JSON_LINES: Final = re.compile(r"\s*\{[^\n]*\}[ \t]*\n\s*\{")
_CONVERSATIONS: Final = re.compile(
    r'"mapping"\s*:\s*\{\s*"[^"]+"\s*:\s*\{\s*"(?:id|message|parent)"|"chat_messages"\s*:\s*\['
)
_SESSION: Final = re.compile(
    r'^[ \t]*\{[^\n]*"(?:sessionId|leafUuid)"\s*:|^[ \t]*\{"type"\s*:\s*"summary"', re.MULTILINE
)
_NOTEBOOK: Final = re.compile(r'"nbformat"\s*:\s*\d|"cell_type"\s*:\s*"(?:code|markdown|raw)"')


def media_type(source: DocumentSource) -> str:
    """Return a media type that `registry.READERS` may have a reader for.

    Raises:
        RefusedError: it is empty, damaged, encrypted, or of a kind that has no reader.
    """
    source.file.seek(0)
    head = source.file.read(HEAD_BYTES)
    if not head.strip(b"\0 \t\r\n"):
        raise RefusedError(Refusal.EMPTY, "The file is empty. Leave it out, or save it with its text.")
    if b"%PDF-" in head[:1024]:
        return "application/pdf"
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _of_zip(source.file)
    if head.startswith(ole2.SIGNATURE):
        return _of_ole2(source.file, head)
    _check_has_reader(head)
    return _of_text(source, _as_text(head))


def _check_has_reader(head: bytes) -> None:
    is_riff_picture = head.startswith(b"RIFF") and head[8:12] == b"WEBP"
    if is_riff_picture or (head.startswith(_PICTURES) and b"\0" in head) or head[4:12] in (b"ftypavif", b"ftypheic"):
        raise _no_reader("The file is a picture, and its text is not read. Save the text in a file of its own.")
    if head.startswith(_ARCHIVES) or head[257:262] == b"ustar":
        raise _no_reader("The file is an archive. Unpack it and give the files in it.")
    if head.startswith(b"{\\rtf"):
        raise _no_reader("The file is RTF, which has no reader. Save it as DOCX or as plain text.")


def _of_zip(file: BinaryIO) -> str:
    with zipped.opened(file) as archive:
        names = {name.replace("\\", "/").lstrip("/").lower() for name in archive.names}
        if "mimetype" in names:
            declared = archive.read("mimetype")[:100].decode("ascii", "ignore").strip()
            if declared == "application/epub+zip" or declared.startswith(_OPEN):
                return declared
    if "meta-inf/container.xml" in names:
        return "application/epub+zip"
    for folder, kind in (("word", "wordprocessingml.document"), ("ppt", "presentationml.presentation")):
        if any(name.startswith(f"{folder}/") for name in names):
            return f"{_OFFICE}{kind}"
    if any(name.startswith("xl/") for name in names):
        return f"{_OFFICE}spreadsheetml.sheet"
    raise _no_reader("The file is an archive. Unpack it and give the files in it.")


def _of_ole2(file: BinaryIO, head: bytes) -> str:
    """Look for a workbook in the directory, whose first sector the header tells; the rest has no reader."""
    refusal = ole2.refusal(file)
    if refusal is not None:
        raise refusal
    sector = 1 << min(int.from_bytes(head[30:32], "little"), 16)
    file.seek((int.from_bytes(head[48:52], "little") + 1) * sector)
    directory = file.read(HEAD_BYTES)
    if not any(f"{name}\0".encode("utf-16-le") in directory for name in ("Workbook", "Book")):
        raise _no_reader("The file is of an old kind that has no reader. Save it as PDF or as text.")
    return "application/vnd.ms-excel"


def _as_text(head: bytes) -> str:
    """Return the beginning as far as it tells the kind of text; letters beyond ASCII do not matter for that."""
    encoding = charsets.wide_encoding(head)
    if encoding is None and (b"\0" in head or _is_binary(head)):
        raise _no_reader("The file is not text, and of no kind that has a reader. Leave it out.")
    return head.decode(encoding or "utf-8", "ignore").lstrip("\ufeff")


def _is_binary(head: bytes) -> bool:
    """Tell whether control characters are among the bytes, more than a stray one."""
    controls = sum(map(head.count, (bytes((code,)) for code in range(32) if code not in b"\t\n\r\f\x08\x1b")))
    return controls > len(head) / 200


def _of_text(source: DocumentSource, text: str) -> str:
    text = text.replace("\r\n", "\n")
    if _SVG.match(text) or text.startswith("%!PS"):
        raise _no_reader("The file is a drawing, and its text is not read. Save it as PDF.")
    named = _named(source)
    if named != _SOURCE:
        found = _of_structure(text, named)
        if found is not None:
            return found
    if named is not None:
        return named
    if _JSON_LINES.match(text):
        return "application/jsonl"
    return "application/json" if _JSON.match(text) else "text/plain"


def _of_structure(text: str, named: str | None) -> str | None:
    found = _of_json(text, named) if named in _MAY_BE_JSON and _JSON.match(text) else None
    if found is not None or named not in _MAY_BE_OTHER:
        return found
    if _HTML.match(text):
        return "text/html"
    if _MBOX.match(text):
        return "application/mbox"
    if _is_mail(text):
        return "message/rfc822"
    return "text/x-whatsapp" if _is_whatsapp(text) else None


def _of_json(text: str, named: str | None) -> str | None:
    if _SESSION.search(text) and (_JSON_LINES.match(text) or named == "application/jsonl"):
        return "application/x-claude-code"
    if _CONVERSATIONS.search(text):
        return "application/x-conversations"
    if text.lstrip().startswith("{") and _NOTEBOOK.search(text) and named in (None, "application/json"):
        return "application/x-ipynb+json"
    return "application/jsonl" if named == "application/json" and _JSON_LINES.match(text) else None


def _is_mail(text: str) -> bool:
    headers = _MAIL_HEADERS.match(text)
    if headers is None:
        return False
    names = {name.lower() for name in _MAIL_NAMES.findall(headers[0])}
    return "from" in names and len(names) >= 3


def _is_whatsapp(text: str) -> bool:
    lines = text.splitlines()[:20]
    return sum(map(whatsapp.begins_turn, lines)) >= max(2, len(lines) / 3)


def _named(source: DocumentSource) -> str | None:
    """Return what the name says, or else the sender."""
    name = source.name.lower()
    known = _BY_NAME.get(name) or _BY_SUFFIX.get(PurePosixPath(name).suffix)
    if known is not None:
        return known
    declared = (source.media_type or "").partition(";")[0].strip().lower()
    return declared if declared in _TEXTS else None


def _no_reader(sentence: str) -> RefusedError:
    return RefusedError(Refusal.NO_READER, sentence)
