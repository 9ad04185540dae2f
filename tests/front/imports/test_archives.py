"""Archives that other systems made, and those that an attacker made."""

from __future__ import annotations

import io
import tarfile
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory_mcp.imports.archives import is_archive, is_safe, unpacked
from memory_mcp.imports.copying import Bounds
from memory_mcp.imports.model import UnreadableError

NOTES = ("**/*.md",)
AT = datetime(2024, 5, 1, 12, tzinfo=UTC)
SMALL = Bounds(files=3, size=1_000)
TAR_OF = {"a.tar": "w", "a.tar.gz": "w:gz", "a.tar.bz2": "w:bz2", "a.tar.xz": "w:xz"}


def zipped(path: Path, members: dict[str, str]) -> Path:
    """Make a zip."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return path


def taped(path: Path, members: dict[str, str], mode: str = "w:gz") -> Path:
    """Make a tar; a text that begins with -> is a link."""
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]  # the mode is one of its
        for name, text in members.items():
            info = tarfile.TarInfo(name)
            info.mtime = int(AT.timestamp())
            if text.startswith("->"):
                info.type, info.linkname = tarfile.SYMTYPE, text[2:]
            info.size = 0 if info.issym() else len(text.encode())
            archive.addfile(info, io.BytesIO(text.encode()))
    return path


def held(folder: Path) -> dict[str, str]:
    """Return what lies in a folder."""
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", [*TAR_OF, "a.zip"])
def test_the_files_of_a_system_come_out(tmp_path: Path, name: str) -> None:
    """Those whose names it wants, in their folders, with their times; nothing else."""
    members = {"vault/a.md": "one", "vault/deep/b.md": "two", "vault/photo.png": "no text"}
    make = taped if name in TAR_OF else zipped
    archive = make(tmp_path / name, members, *([TAR_OF[name]] if name in TAR_OF else []))
    assert is_archive(archive)
    times, remarks = unpacked(archive, tmp_path / "out", NOTES)
    assert held(tmp_path / "out") == {"vault/a.md": "one", "vault/deep/b.md": "two"}
    assert remarks == []
    assert times.keys() == {tmp_path / "out/vault/a.md", tmp_path / "out/vault/deep/b.md"}
    if name in TAR_OF:
        assert set(times.values()) == {AT}


@pytest.mark.parametrize("make", [taped, zipped])
def test_nothing_lands_outside(tmp_path: Path, make: object) -> None:
    """A path that leads out is named, and so is a link, which is not made."""
    assert callable(make)
    bad = {"../up.md": "bad", "/srv/root.md": "bad", "a/../../b.md": "bad", "a//c.md": "bad", f"{'n' * 300}.md": "bad"}
    links = {"to.md": "->/etc/hostname"} if make is taped else {}
    archive = make(tmp_path / "archive", {**bad, **links, "good.md": "good"})
    _, remarks = unpacked(archive, tmp_path / "deep/out", NOTES)
    assert {remark.source_id[:200] for remark in remarks} == {name[:200] for name in {**bad, **links}}
    assert held(tmp_path / "deep") == {"out/good.md": "good"}
    assert {path.name for path in tmp_path.iterdir()} == {"archive", "deep"}


def test_a_file_with_several_names_has_its_text_at_each(tmp_path: Path) -> None:
    """As `tar` packs hard links; one that leads to nothing in the archive is named."""
    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / "a.md").write_text("one")
    (notes / "b.md").hardlink_to(notes / "a.md")
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as archive:
        archive.add(notes, "./notes")
        lost = tarfile.TarInfo("notes/c.md")
        lost.type, lost.linkname = tarfile.LNKTYPE, "notes/elsewhere.md"
        archive.addfile(lost)
    _, remarks = unpacked(tmp_path / "a.tar.gz", tmp_path / "out", NOTES)
    assert held(tmp_path / "out") == {"notes/a.md": "one", "notes/b.md": "one"}
    assert [remark.source_id for remark in remarks] == ["notes/c.md"]


@given(st.text("./a\0\n\u00e9\\", max_size=20))
def test_a_safe_path_stays_below_its_folder(path: str) -> None:
    """Whatever the path is made of."""
    if is_safe(path):
        folder = Path("/folder/below")
        place = Path(*(part for part in (folder / path).parts if part != "."))
        assert place.is_relative_to(folder)
        assert ".." not in place.parts
        assert "\0" not in path


@pytest.mark.parametrize("make", [taped, zipped])
def test_too_much_is_refused(tmp_path: Path, make: object) -> None:
    """By what comes out, not by what the archive says; no more is written than fits."""
    assert callable(make)
    bomb = make(tmp_path / "bomb", {"a.md": "0" * 600, "b.md": "0" * 600})
    with pytest.raises(UnreadableError, match="unpack it and give the folder's path"):
        unpacked(bomb, tmp_path / "out", NOTES, SMALL)
    assert sum(len(text) for text in held(tmp_path / "out").values()) <= SMALL.size
    crowd = make(tmp_path / "crowd", {f"{number}.png": "" for number in range(4)})
    with pytest.raises(UnreadableError, match="more than 3 files"):
        unpacked(crowd, tmp_path / "none", NOTES, SMALL)


def test_what_cannot_be_unpacked_is_one_sentence(tmp_path: Path) -> None:
    """A cut or changed archive, an encrypted one, and one whose paths contradict each other."""
    whole = taped(tmp_path / "whole.tar.gz", {"a.md": "text" * 10_000}).read_bytes()
    (tmp_path / "cut.tar.gz").write_bytes(whole[: len(whole) // 2])
    packed = bytearray(zipped(tmp_path / "whole.zip", {"a.md": "some text"}).read_bytes())
    packed[40] ^= 0xFF
    (tmp_path / "changed.zip").write_bytes(packed)
    locked = bytearray((tmp_path / "whole.zip").read_bytes())
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        locked[locked.index(signature) + flags] |= 1
    (tmp_path / "locked.zip").write_bytes(locked)
    zipped(tmp_path / "both.zip", {"a.md": "a file", "a.md/b.md": "in a folder"})
    for name, said in (("cut.tar.gz", "damaged"), ("changed.zip", "damaged"), ("locked.zip", "encrypted")):
        with pytest.raises(UnreadableError, match=said):
            unpacked(tmp_path / name, tmp_path / f"out {name}", NOTES)
    with pytest.raises(UnreadableError, match="cannot be unpacked"):
        unpacked(tmp_path / "both.zip", tmp_path / "both", NOTES)


def test_other_files_are_no_archives(tmp_path: Path) -> None:
    """A text, an empty file, a database, and a text that ends like a zip."""
    end = zipped(tmp_path / "empty.zip", {}).read_bytes()
    for content in (b"", b"a text", b"SQLite format 3\0" + bytes(600), b"- a text\n" + end):
        (tmp_path / "file").write_bytes(content)
        assert not is_archive(tmp_path / "file")
