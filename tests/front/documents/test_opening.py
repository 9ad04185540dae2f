from __future__ import annotations

import os
import socket
import tempfile
import threading
from pathlib import Path, PurePath
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memory_mcp.documents import beneath
from memory_mcp.documents.opening import MAX_FILE_BYTES, OpenedFile, open_below, open_content
from memory_mcp.documents.readers.model import Refusal, RefusedError

LEAST_ATTEMPTS, MOST_ATTEMPTS = 2_000, 200_000
HAS_OPENAT2: Final = beneath.has_openat2()


@pytest.fixture(params=["by the kernel", "by parts"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Open as a kernel with `openat2` does, and as one without."""
    if request.param == "by the kernel" and not HAS_OPENAT2:
        pytest.skip("this kernel has no openat2")
    if request.param == "by parts":
        monkeypatch.setattr(beneath, "has_openat2", lambda: False)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a folder with a file, and a secret beside it."""
    folder = tmp_path / "allowed"
    (folder / "deep" / "deeper").mkdir(parents=True)
    (folder / "note.txt").write_text("a note", encoding="utf-8")
    (folder / "deep" / "deeper" / "other.txt").write_text("another", encoding="utf-8")
    (tmp_path / "outside.txt").write_text("not for you", encoding="utf-8")
    return folder


def content(file: OpenedFile) -> str:
    with file:
        return os.pread(file.descriptor, 1000, 0).decode()


def refusal(root: Path, path: Path, *, max_bytes: int = MAX_FILE_BYTES) -> Refusal:
    before = len(list(Path("/proc/self/fd").iterdir())) if Path("/proc").exists() else 0
    with pytest.raises(RefusedError) as caught:
        open_below([root], path, max_bytes=max_bytes)
    after = len(list(Path("/proc/self/fd").iterdir())) if Path("/proc").exists() else 0
    assert after == before, "a descriptor was left open"
    return caught.value.refusal


@pytest.mark.usefixtures("way")
class TestOpening:
    def test_opens_a_file_deep_below(self, root: Path) -> None:
        """A file below a root is opened for reading, and closed with its block."""
        with open_below([root], root / "deep" / "deeper" / "other.txt") as file:
            assert os.pread(file.descriptor, 100, 0) == b"another"
            assert file.size == 7
            assert not os.get_inheritable(file.descriptor)
            with pytest.raises(OSError, match="descriptor"):
                os.write(file.descriptor, b"x")
        with pytest.raises(OSError, match="descriptor"):
            os.fstat(file.descriptor)

    @pytest.mark.parametrize(
        ("link", "target"),
        [
            ("same", "note.txt"),
            ("down", "deep/deeper/other.txt"),
            ("deep/up", "../note.txt"),
            ("deep/deeper/around", "../../deep/../note.txt"),
        ],
    )
    def test_follows_links_that_stay_below(self, root: Path, link: str, target: str) -> None:
        """A relative link to a file below the root is that file."""
        (root / link).symlink_to(target)
        assert content(open_below([root], root / link)) in {"a note", "another"}

    def test_follows_links_to_folders_that_stay_below(self, root: Path) -> None:
        """A path through a linked folder leads where the link leads, and `..` is the real folder's."""
        (root / "way").symlink_to("deep/deeper")
        assert content(open_below([root], root / "way" / "other.txt")) == "another"
        assert content(open_below([root], root / "way" / ".." / ".." / "note.txt")) == "a note"

    @pytest.mark.parametrize(
        "target", ["../outside.txt", "/etc/hostname", "deep/../../outside.txt", "loop", "/proc/self/exe"]
    )
    def test_refuses_links_that_lead_out(self, root: Path, target: str) -> None:
        """A link that leaves the root, even to come back, names an absolute path or itself is refused."""
        (root / "loop").symlink_to("loop")
        (root / "link").symlink_to(target)
        assert refusal(root, root / "link") is Refusal.OUTSIDE_ROOTS
        (root / "folder").symlink_to(Path(target).parent)
        assert refusal(root, root / "folder" / Path(target).name) is Refusal.OUTSIDE_ROOTS

    def test_refuses_what_leaves_and_comes_back(self, root: Path) -> None:
        """A link is judged by each step, not by where it ends."""
        (root / "back").symlink_to("../allowed/note.txt")
        assert refusal(root, root / "back") is Refusal.OUTSIDE_ROOTS

    @pytest.mark.parametrize("path", ["../outside.txt", "deep/../../outside.txt", "../allowed/note.txt"])
    def test_refuses_dots_that_lead_out(self, root: Path, path: str) -> None:
        """`..` does not lead out of a root."""
        assert refusal(root, root / path) is Refusal.OUTSIDE_ROOTS

    def test_refuses_what_lies_elsewhere(self, root: Path) -> None:
        """A path that begins with no root is refused, be it like one; without roots nothing is read."""
        beside = root.with_name("allowed-2")
        beside.mkdir()
        (beside / "note.txt").write_text("x", encoding="utf-8")
        assert refusal(root, beside / "note.txt") is Refusal.OUTSIDE_ROOTS
        assert refusal(root, Path("/etc/passwd")) is Refusal.OUTSIDE_ROOTS
        with pytest.raises(RefusedError, match="MCP_MEMORY_INGEST_ROOTS"):
            open_below([], root / "note.txt")

    def test_a_root_that_has_become_a_link_is_not_followed(self, root: Path, tmp_path: Path) -> None:
        """Nor is one below such a link: roots are real paths, and what is elsewhere now was never allowed."""
        elsewhere = tmp_path / "elsewhere"
        root.rename(elsewhere)
        root.symlink_to(elsewhere)
        assert refusal(root, root / "note.txt") is Refusal.OUTSIDE_ROOTS
        assert refusal(root / "deep", root / "deep" / "deeper" / "other.txt") is Refusal.OUTSIDE_ROOTS
        assert refusal(tmp_path / "nothing", tmp_path / "nothing" / "x") is Refusal.MISSING

    def test_a_second_root_may_hold_it(self, root: Path, tmp_path: Path) -> None:
        """What one root refuses as outside, a wider one may allow."""
        (root / "link").symlink_to("../outside.txt")
        assert content(open_below([root, tmp_path], root / "link")) == "not for you"

    @pytest.mark.parametrize("name", ["nothing.txt", "nowhere/note.txt", "note.txt/x", "n" * 300])
    def test_names_what_is_missing(self, root: Path, name: str) -> None:
        """A path that names nothing says so."""
        assert refusal(root, root / name) is Refusal.MISSING

    def test_a_null_character_names_nothing(self, root: Path) -> None:
        """A path that no system can have is refused like one that is not there."""
        assert refusal(root, root / "a\0b") is Refusal.MISSING

    def test_refuses_what_is_no_file(self, root: Path) -> None:
        """A folder, FIFO and socket are refused at once: nobody has to write into the FIFO."""
        os.mkfifo(root / "fifo")
        (root / "to-fifo").symlink_to("fifo")
        for name in ("deep", "fifo", "to-fifo", "."):
            assert refusal(root, root / name) is Refusal.NOT_A_FILE

    def test_refuses_sockets_and_devices(self) -> None:
        """A socket and a device are refused."""
        with tempfile.TemporaryDirectory(dir="/tmp") as short, socket.socket(socket.AF_UNIX) as server:
            server.bind(f"{short}/socket")
            assert refusal(Path(short), Path(short) / "socket") is Refusal.NOT_A_FILE
        assert refusal(Path("/dev"), Path("/dev/null")) is Refusal.NOT_A_FILE

    def test_bounds_the_size(self, root: Path) -> None:
        """A sparse file of 4 GB is refused by its size, an empty one as empty; neither is read."""
        with (root / "sparse").open("wb") as file:
            file.truncate(4 << 30)
        (root / "empty").touch()
        assert refusal(root, root / "sparse") is Refusal.TOO_LARGE
        assert refusal(root, root / "empty") is Refusal.EMPTY
        assert refusal(root, root / "note.txt", max_bytes=5) is Refusal.TOO_LARGE

    @pytest.mark.parametrize(
        "name", [".env", ".ssh/config", ".git/HEAD", "ID_RSA", "id_ed25519.bak", "deep/credentials", "deep/server.pem"]
    )
    def test_refuses_secrets(self, root: Path, name: str) -> None:
        """A file that holds secrets by its name or folder is refused, also through a link; by hand it can be read."""
        path = root / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("secret", encoding="utf-8")
        (root / "harmless.txt").symlink_to(name)
        assert refusal(root, path) is Refusal.SECRET
        assert refusal(root, root / "harmless.txt") is Refusal.SECRET
        assert content(open_below([root], path, secrets=True)) == "secret"

    @pytest.mark.parametrize("folder", [".git", ".ssh/deep"])
    def test_a_root_in_a_secret_folder_opens_nothing(self, tmp_path: Path, folder: str) -> None:
        """The whole path is judged: a file of `.ssh` is no less secret where its folder was named."""
        root = tmp_path / folder
        root.mkdir(parents=True)
        (root / "description").write_text("x", encoding="utf-8")
        assert refusal(root, root / "description") is Refusal.SECRET

    @pytest.mark.skipif(os.getuid() == 0, reason="root may read everything")
    def test_names_a_missing_permission(self, root: Path) -> None:
        """A file that this user may not read says so."""
        (root / "note.txt").chmod(0)
        assert refusal(root, root / "note.txt") is Refusal.NO_ACCESS

    @pytest.mark.parametrize("swapped", ["file", "folder"])
    def test_a_swapped_link_changes_nothing(self, root: Path, tmp_path: Path, swapped: str) -> None:
        """While a thread swaps the file, or its folder, for a link that leads out, never is anything outside opened."""
        honest, evil = root / "honest", root / "evil"
        if swapped == "file":
            honest.write_text("a note", encoding="utf-8")
            evil.symlink_to("../outside.txt")
            path = honest
        else:
            (tmp_path / "elsewhere").mkdir()
            (tmp_path / "elsewhere" / "x").write_text("not for you", encoding="utf-8")
            honest.mkdir()
            (honest / "x").write_text("a note", encoding="utf-8")
            evil.symlink_to("../elsewhere")
            path = honest / "x"
        with swapping(honest, evil):
            outcomes = attempts(root, path)
        assert "not for you" not in outcomes
        assert "a note" in outcomes, "the swapping thread did not let anything be read"
        assert Refusal.OUTSIDE_ROOTS in outcomes, "the swapping thread never came between"


@pytest.mark.parametrize("name", ["honest", "folder/x"])
def test_a_link_that_appears_after_the_look_is_not_followed(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The way by parts follows no link that it has not judged: here each part is swapped for one after its look."""
    (root / "folder").mkdir()
    (tmp_path / "x").write_text("not for you", encoding="utf-8")
    for file in (root / "honest", root / "folder" / "x"):
        file.write_text("a note", encoding="utf-8")
    look = os.readlink

    def swap(part: str, *, dir_fd: int) -> str:
        try:
            return look(part, dir_fd=dir_fd)
        finally:
            if part in {"honest", "folder"} and not (root / part).is_symlink():
                (root / part).rename(root / "away")
                (root / part).symlink_to({"honest": "../x", "folder": ".."}[part])

    monkeypatch.setattr(os, "readlink", swap)
    folder = os.open(root, os.O_RDONLY)
    with pytest.raises(OSError, match=r"symbolic links|Not a directory"):
        beneath.by_parts(folder, PurePath(name), os.O_RDONLY)
    os.close(folder)


def attempts(root: Path, path: Path) -> set[str | Refusal]:
    """Open a path again and again, until the swapping thread was seen to have come between."""
    outcomes: set[str | Refusal] = set()
    for count in range(MOST_ATTEMPTS):
        outcomes.add(attempt(root, path))
        if count >= LEAST_ATTEMPTS and outcomes >= {"a note", Refusal.OUTSIDE_ROOTS}:
            break
    return outcomes


def attempt(root: Path, path: Path) -> str | Refusal:
    try:
        return content(open_below([root], path))
    except RefusedError as error:
        return error.refusal


class swapping:  # noqa: N801 - a context manager
    """Swaps two paths' files for each other, over and over, in a thread."""

    def __init__(self, one: Path, other: Path) -> None:
        self._paths = one, other, one.with_name("between")
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        one, other, between = self._paths
        while not self._stop.is_set():
            one.rename(between)
            other.rename(one)
            between.rename(other)


PARTS: Final = st.sampled_from(["a", "b", "f", "..", ".", "up", "down", "out", "self", "abs", "trail"])


@pytest.fixture(scope="module")
def maze(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a root full of links of all kinds, each in every folder."""
    root = tmp_path_factory.mktemp("maze") / "root"
    for folder in (root, root / "a", root / "a" / "b", root / "b"):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "f").write_text(str(folder.relative_to(root)), encoding="utf-8")
        for name, target in (
            ("up", ".."),
            ("down", "a/b"),
            ("out", "../../.."),
            ("self", "self"),
            ("abs", str(root / "f")),
            ("trail", "f/"),
        ):
            (folder / name).symlink_to(target)
    return root


@pytest.mark.skipif(not HAS_OPENAT2, reason="this kernel has no openat2")
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(parts=st.lists(PARTS, min_size=1, max_size=8))
def test_both_ways_agree(maze: Path, parts: list[str]) -> None:
    """Whatever the path, the way by parts opens what the kernel opens, or fails as it fails."""
    folder = os.open(maze, os.O_RDONLY)
    try:
        assert by(beneath.by_kernel, folder, parts) == by(beneath.by_parts, folder, parts)
    finally:
        os.close(folder)


def by(way: object, folder: int, parts: list[str]) -> tuple[int, int] | int | None:
    """Return which file a way opens, or its error."""
    assert callable(way)
    try:
        opened = way(folder, PurePath(*parts), os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        return error.errno
    found = os.fstat(opened)
    os.close(opened)
    return found.st_dev, found.st_ino


def test_content_is_a_file_too() -> None:
    """Content that came with a call is read like a file, cannot be written, and has no path."""
    with open_content(b"text") as file:
        assert (file.path, file.size, os.pread(file.descriptor, 10, 0)) == (None, 4, b"text")
        with pytest.raises(OSError, match="descriptor"):
            os.write(file.descriptor, b"x")
    with pytest.raises(RefusedError, match="the content is empty"):
        open_content(b"")


def test_a_change_is_seen(tmp_path: Path) -> None:
    """A file that grew, or was written again in its length, is not what was opened."""
    path = tmp_path / "file"
    path.write_text("text", encoding="utf-8")
    with open_below([tmp_path], path) as file:
        assert file.is_unchanged()
        path.chmod(0o600)
        assert file.is_unchanged(), "a mode is no content"
        os.utime(path, ns=(1, 1))
        assert not file.is_unchanged()
