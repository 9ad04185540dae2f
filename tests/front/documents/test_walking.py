from __future__ import annotations

import os
from pathlib import Path

import pytest

from memory_mcp.documents.readers.model import Refusal, RefusedError
from memory_mcp.documents.walking import MAX_DEPTH, FoundFile, LeftOut, SeenBelow, look, walk
from tests.front.documents.test_opening import swapping


def write(folder: Path, **files: str) -> None:
    for name, content in files.items():
        named(folder, name, content)


def named(folder: Path, name: str, content: str = "x") -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(content, encoding="utf-8")


def found(root: Path, folder: Path | None = None) -> list[str]:
    return [
        each.path.relative_to(root).as_posix() for each in walk([root], folder or root) if isinstance(each, FoundFile)
    ]


def left_out(root: Path, folder: Path | None = None) -> dict[str, str]:
    return {
        each.path.relative_to(root).as_posix(): each.why
        for each in walk([root], folder or root)
        if isinstance(each, LeftOut)
    }


def test_finds_files_by_name(tmp_path: Path) -> None:
    """Files come in the order of their names, folder by folder, with size and time."""
    for name in ("b.txt", "a/z.txt", "a/y.txt", "c/d/e.txt"):
        named(tmp_path, name)
    assert found(tmp_path) == ["a/y.txt", "a/z.txt", "b.txt", "c/d/e.txt"]
    (first, *_) = walk([tmp_path], tmp_path)
    assert isinstance(first, FoundFile)
    assert (first.size, first.modified_ns) == (1, (tmp_path / "a/y.txt").stat().st_mtime_ns)


def test_a_folder_below_a_root(tmp_path: Path) -> None:
    """Only what lies below the folder is found, under the path that was asked for."""
    named(tmp_path, "a/b/x.txt")
    named(tmp_path, "other.txt")
    assert found(tmp_path, tmp_path / "a") == ["a/b/x.txt"]
    assert found(tmp_path, tmp_path / "a" / ".." / "a" / "b") == ["a/b/x.txt"]


def test_ignore_files_are_honoured(tmp_path: Path) -> None:
    """Patterns hold below their folder; a deeper file, and `.memoryignore` over `.gitignore`, decides."""
    named(tmp_path, ".gitignore", "*.log\nbuild/\n/top.txt\n!kept.log\n")
    named(tmp_path, ".memoryignore", "drafts/\n!notes.log\n")
    named(tmp_path, "deep/.gitignore", "!deep.log\nonly.txt\n")
    for name in (
        *("a.log", "kept.log", "notes.log", "build/x.txt", "top.txt", "drafts/x.txt"),
        *("deep/deep.log", "deep/other.log", "deep/only.txt", "deep/top.txt", "only.txt"),
    ):
        named(tmp_path, name)
    texts = [name for name in found(tmp_path) if not name.endswith("ignore")]
    assert texts == ["deep/deep.log", "deep/top.txt", "kept.log", "notes.log", "only.txt"]
    assert left_out(tmp_path) == {
        "a.log": "ignored by .gitignore",
        "build": "ignored by .gitignore",
        "deep/only.txt": "ignored by .gitignore",
        "deep/other.log": "ignored by .gitignore",
        "drafts": "ignored by .memoryignore",
        "top.txt": "ignored by .gitignore",
    }


def test_slow_patterns_are_not_honoured(tmp_path: Path) -> None:
    """Patterns that would try for years, or too many of them, are skipped; the others of the file hold."""
    slow = ["*a" * 20 + "*b", "/".join(["*a*a"] * 20), "**/a/" * 20 + "b", "a" * 501, "!*a*a*a*a*b"]
    ignored = ["*.log", "**/build/**", "*/*/*/*/*/*.tmp", "*b*c*d"]
    named(tmp_path, ".gitignore", "\n".join([*slow, *ignored, *["#"] * 1000, "late"]))
    named(tmp_path, ".memoryignore", "x\n" * 40_000 + "late")
    deep = "/".join(["a"] * 50)
    for name in ("a" * 200, f"{deep}/a", "note.log", "build/x", "1/2/3/4/5/6.tmp", "abacad", "late"):
        named(tmp_path, name)
    texts = [name for name in found(tmp_path) if not name.endswith("ignore")]
    assert texts == [f"{deep}/a", "a" * 200, "late"]


def test_ignore_files_above_the_folder_hold(tmp_path: Path) -> None:
    """What a file of the root or between leaves out stays out when only a folder is walked."""
    named(tmp_path, ".gitignore", "*.log\n/a/b/secret.txt\n")
    named(tmp_path, "a/.memoryignore", "b/draft.txt\n")
    for name in ("x.log", "secret.txt", "draft.txt", "note.txt"):
        named(tmp_path, f"a/b/{name}")
    assert found(tmp_path, tmp_path / "a" / "b") == ["a/b/note.txt"]


def test_secrets_are_left_out(tmp_path: Path) -> None:
    """Keys, environments and the folders of version control and keys are left out, and named."""
    for name in (
        ".env",
        ".env.local",
        ".env.example",
        ".git/config",
        ".SSH/id_rsa",
        "x/Key.PEM",
        "id_rsa_old",
        "monkey",
    ):
        named(tmp_path, name)
    assert found(tmp_path) == [".env.example", "monkey"]
    assert set(left_out(tmp_path)) == {".env", ".env.local", ".git", ".SSH", "x/Key.PEM", "id_rsa_old"}
    assert set(left_out(tmp_path).values()) == {"may hold secrets, by its name"}


def test_what_is_no_file_is_left_out(tmp_path: Path) -> None:
    """A FIFO, a broken link and a link to a folder are named; a link to a file is a file."""
    named(tmp_path, "note.txt")
    named(tmp_path, "folder/x.txt")
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "loop").symlink_to(".")
    (tmp_path / "broken").symlink_to("nothing")
    (tmp_path / "link").symlink_to("note.txt")
    assert found(tmp_path) == ["folder/x.txt", "link", "note.txt"]
    assert left_out(tmp_path) == {
        "broken": "cannot be opened (No such file or directory)",
        "fifo": "is a device, pipe or socket, not a file",
        "loop": "is a link to a folder",
    }


def test_bounds(tmp_path: Path) -> None:
    """A folder too deep, and all beyond the largest number of entries, are named and left out."""
    deep = tmp_path.joinpath(*["d"] * (MAX_DEPTH + 1))
    named(deep, "x.txt")
    named(tmp_path, "e.txt")
    assert found(tmp_path) == ["e.txt"]
    assert list(left_out(tmp_path).values()) == [f"lies more than {MAX_DEPTH} folders deep"]
    few = list(walk([tmp_path], tmp_path, max_entries=3))
    assert few[-1] == LeftOut(tmp_path, few[-1].why if isinstance(few[-1], LeftOut) else "")
    assert len(few) <= 4


@pytest.mark.parametrize(
    ("folder", "refusal"),
    [
        ("../other", Refusal.OUTSIDE_ROOTS),
        ("nothing", Refusal.MISSING),
        ("file", Refusal.MISSING),
        ("out", Refusal.OUTSIDE_ROOTS),
    ],
)
def test_refuses_folders(tmp_path: Path, folder: str, refusal: Refusal) -> None:
    """A folder outside the roots, or none, is refused."""
    (tmp_path / "root").mkdir()
    (tmp_path / "other").mkdir()
    named(tmp_path, "root/file")
    (tmp_path / "root" / "out").symlink_to("../other")
    with pytest.raises(RefusedError) as caught:
        list(walk([tmp_path / "root"], tmp_path / "root" / folder))
    assert caught.value.refusal is refusal


@pytest.mark.parametrize("swapped", ["above", "above/within"])
def test_a_root_that_has_become_a_link_is_not_walked(tmp_path: Path, swapped: str) -> None:
    """Be it itself or a folder above it."""
    root = tmp_path / "above" / "within"
    named(tmp_path, "above/within/note.txt")
    (tmp_path / swapped).rename(tmp_path / "elsewhere")
    (tmp_path / swapped).symlink_to("../elsewhere" if "/" in swapped else "elsewhere")
    for walking in (lambda: list(walk([root], root)), lambda: look(root, root)):
        with pytest.raises(RefusedError) as caught:
            walking()
        assert caught.value.refusal is Refusal.OUTSIDE_ROOTS


def test_a_swapped_folder_is_not_entered(tmp_path: Path) -> None:
    """While a thread swaps a folder for a link that leads out, no name from outside is seen."""
    named(tmp_path, "elsewhere/private.txt")
    named(tmp_path, "root/honest/note.txt")
    (tmp_path / "root" / "evil").symlink_to("../elsewhere")
    with swapping(tmp_path / "root" / "honest", tmp_path / "root" / "evil"):
        walks = [list(walk([tmp_path / "root"], tmp_path / "root")) for _ in range(1000)]
    names = {each.path.name for walked in walks for each in walked}
    assert "note.txt" in names
    assert "private.txt" not in names


def test_leaves_nothing_open(tmp_path: Path) -> None:
    """A walk that is given up closes its folders."""
    named(tmp_path, "a/b/c/x.txt")
    before = len(list(Path("/dev/fd").iterdir()))
    walking = walk([tmp_path], tmp_path)
    next(walking)
    walking.close()  # type: ignore[attr-defined]  # a generator
    assert len(list(Path("/dev/fd").iterdir())) == before


def test_editors_copies_are_left_out(tmp_path: Path) -> None:
    """Backups, locks and what is being written, by their names."""
    for name in ("a.md", "a.md~", ".a.md.swp", ".#a.md", "#a.md#", "~$a.docx", "4913"):
        named(tmp_path, name)
    assert found(tmp_path) == ["a.md"]
    assert set(left_out(tmp_path).values()) == {"is an editor's copy, by its name"}


def test_a_look_at_one_place_judges_as_a_walk_does(tmp_path: Path) -> None:
    """Rules, secrets and links on the way to it count; where nothing lies, nothing is seen."""
    write(tmp_path, **{".gitignore": "ignored/\n*.log\n"})
    for name in ("a/b.txt", "a/c.log", "a/d/e.txt", "ignored/x.txt", ".git/y.txt", "a/.env"):
        named(tmp_path, name)
    (tmp_path / "link").symlink_to(tmp_path / "a")

    def seen(place: str) -> tuple[list[Path], list[Path], set[Path]]:
        it: SeenBelow = look(tmp_path, tmp_path / place)
        return [file.path for file in it.files], it.left_out, set(it.folders)

    def at(*names: str) -> list[Path]:
        return [tmp_path / name for name in names]

    assert seen("a/b.txt") == (at("a/b.txt"), [], set())
    assert seen("a") == (at("a/b.txt", "a/d/e.txt"), at("a/.env", "a/c.log"), set(at("a", "a/d")))
    assert seen("a/c.log") == ([], at("a/c.log"), set())
    assert seen("ignored/x.txt") == ([], at("ignored"), set())
    assert seen(".git/y.txt") == ([], at(".git"), set())
    assert seen("link/b.txt") == ([], at("link"), set())
    for nothing in ("gone.txt", "gone/deep.txt", "a/b.txt/c"):
        assert seen(nothing) == ([], [], set())
    with pytest.raises(RefusedError, match="does not exist"):
        look(tmp_path / "nowhere", tmp_path / "nowhere")
