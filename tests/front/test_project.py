"""The project's namespace: what its clones share, and what nobody else does."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory_mcp.context.git_remote import place_of
from memory_mcp.context.project import SHARED, here, project_of, reach_of
from memory_mcp.domain.models import MAX_NAMESPACE
from memory_mcp.domain.principal import Reach

GITHUB = "github.com/Owner/repo"
names = st.text("abcdefgh-._123", min_size=1, max_size=12).filter(lambda name: name.strip("."))


@pytest.fixture
def home() -> Iterator[Path]:
    """Make a home folder."""
    path = Path(tempfile.mkdtemp(prefix="mm-")).resolve()
    yield path
    shutil.rmtree(path)


def git(*arguments: str, folder: Path) -> None:
    """Run git without this user's settings."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1"}
    options = ("-c", "protocol.file.allow=always", "-c", "user.name=t", "-c", "user.email=t@t")
    subprocess.run(["git", *options, *arguments], cwd=folder, env=environment, check=True, capture_output=True)


def configured(folder: Path, config: str) -> Path:
    """Make a repository of nothing but what we read."""
    (folder / ".git").mkdir(parents=True)
    (folder / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    (folder / ".git" / "config").write_bytes(config.encode())
    return folder


def origin(folder: Path, url: str) -> Path:
    """Make a repository with a remote."""
    return configured(folder, f'[remote "origin"]\n\turl = {url}\n')


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/Owner/repo.git",
        "https://github.com/Owner/repo/",
        "https://me:secret@GitHub.com:443/Owner/repo.git?x=1#y",
        "ssh://git@github.com:22/Owner/repo.git",
        "git@github.com:Owner/repo.git",
        "github.com:Owner/repo",
        "git@github.com:/Owner//repo.git/",
        "git://github.com/Owner/repo",
        '"https://github.com/Owner/repo.git" ; a comment',
        "https://github.com/Owner/\\\nrepo.git # another",
        "codecommit::https://github.com/Owner/repo",
        "git@[github.com:22]:Owner/repo.git",
        "git@github.com:Owner/repo.git?token=secret",
    ],
)
def test_clones_share_a_namespace(home: Path, url: str) -> None:
    """Whatever address a repository was cloned from, and wherever in it somebody works."""
    top = origin(home / "work" / "clone", url)
    (top / "src" / "deep").mkdir(parents=True)
    assert project_of(top, home).namespace == GITHUB
    assert project_of(top / "src" / "deep", home).namespace == GITHUB


@given(host=names, steps=st.lists(names, min_size=1, max_size=3), user=names, port=st.integers(1, 65535))
def test_the_forms_of_an_address_are_one(host: str, steps: list[str], user: str, port: int) -> None:
    """User, password, port, query and suffix say nothing; another path or host is another project."""
    host, path, top = f"{host}.example", "/".join(steps), Path("/")
    forms = (
        f"https://{host.upper()}/{path}",
        f"https://{user}:{user}@{host}:{port}/{path}.git?{user}",
        f"ssh://{user}@{host}:{port}/{path}/",
        f"{user}@{host}:{path}.git",
    )
    [place] = {place_of(form, top) for form in forms}
    assert place_of(f"https://{host}/{path}x", top) != place != place_of(f"https://x{host}/{path}", top)
    assert user not in str(place).split("/")[0] or user in host


def test_what_git_itself_writes_is_understood(home: Path) -> None:
    """Clones, worktrees and submodules, made by git: a submodule is a project of its own."""
    bare, first, second = home / "srv" / "boat.git", home / "a" / "boat", home / "b" / "elsewhere"
    for folder in (bare, first.parent, second.parent):
        folder.mkdir(parents=True)
    git("init", "--bare", ".", folder=bare)
    git("clone", str(bare), "boat", folder=first.parent)
    git("commit", "--allow-empty", "-m", "x", folder=first)
    git("push", "origin", "HEAD", folder=first)
    git("clone", bare.as_uri(), "elsewhere", folder=second.parent)
    git("worktree", "add", str(home / "tree"), "-b", "side", folder=first)
    lone = home / "lone"
    lone.mkdir()
    git("init", folder=lone)
    git("commit", "--allow-empty", "-m", "x", folder=lone)
    git("worktree", "add", str(home / "lone-tree"), "-b", "side", folder=lone)
    git("submodule", "add", str(bare), "inside", folder=lone)
    of = {path: project_of(path, home).namespace for path in (first, second, home / "tree", lone, lone / "inside")}
    assert of[first] == of[second] == of[home / "tree"] == of[lone / "inside"] != of[lone]
    assert project_of(home / "lone-tree", home).namespace == of[lone]
    git("remote", "add", "origin", "git@github.com:Owner/repo.git", folder=lone)
    assert {project_of(path, home).namespace for path in (lone, home / "lone-tree")} == {GITHUB}
    git("remote", "rename", "origin", "other", folder=lone)
    git("remote", "add", "late", "https://example.org/x", folder=lone)
    assert project_of(lone, home).namespace == GITHUB


def test_folders_without_a_remote_are_projects_of_their_own(home: Path) -> None:
    """Two of the same name are two; a link leads to the folder that it names."""
    one, two = home / "a" / "notes", home / "b" / "notes"
    for folder in (one, two):
        folder.mkdir(parents=True)
    (home / "link").symlink_to(one)
    first, second = project_of(one, home).namespace, project_of(two, home).namespace
    assert first != second
    assert first.startswith("folder:notes-")
    assert project_of(home / "link", home).namespace == first
    configured(two, "[core]\n\tbare = false\n")
    assert project_of(two, home).namespace == second


def test_what_is_nobodys_is_no_project(home: Path) -> None:
    """The home folder and the root share the default; a repository of dot files does not own what lies below."""
    origin(home, "https://github.com/me/dotfiles")
    (home / "notes").mkdir()
    for folder in (home, Path("/")):
        assert project_of(folder, home).reach == Reach(SHARED)
    assert project_of(home / "notes", home).namespace.startswith("folder:notes-")


@pytest.mark.parametrize(
    "config",
    [
        "",
        "[remote",
        '[remote "origin"]\nurl\n',
        '[remote "origin"]\nurl = https://[bad/x\n',
        '[remote "origin"]\nurl = https://host.example/\n',
        '# [remote "origin"]\n; url = https://host.example/x\n',
        '[url "https://host.example/"]\n\tinsteadOf = gh:\n',
        "\0\udce9".encode("utf-8", "surrogateescape").decode("latin-1"),
    ],
)
def test_a_configuration_that_names_no_remote(home: Path, config: str) -> None:
    """The folder decides."""
    assert project_of(configured(home / "repo", config), home).namespace.startswith("folder:repo-")


def test_files_that_are_none_do_not_hang(home: Path) -> None:
    """A pipe in the place of git's files is passed over."""
    for name in (".git", ".git/config"):
        shutil.rmtree(home / "repo", ignore_errors=True)
        pipe = home / "repo" / name
        pipe.parent.mkdir(parents=True)
        (pipe.parent / "HEAD").touch()
        os.mkfifo(pipe)
        assert project_of(home / "repo", home).namespace.startswith("folder:repo-")


@given(name=st.text(st.characters(exclude_characters='/\0\n\r\\"#;?%:@[]', exclude_categories=["Cs"]), min_size=1))
def test_a_namespace_is_short_and_printable(name: str) -> None:
    """Whatever a repository calls itself, and no two that differ share a name."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder).resolve()
        mine = project_of(origin(home / "a", f"https://host.example/x{name}x/{'long' * 40}"), home).namespace
        other = project_of(origin(home / "b", f"https://host.example/x{name}y/{'long' * 40}"), home).namespace
    assert len(mine) <= MAX_NAMESPACE
    assert mine.isprintable()
    assert mine != other


def test_a_working_directory_that_is_gone(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The default stands in."""
    (home / "gone").mkdir()
    monkeypatch.chdir(home / "gone")
    (home / "gone").rmdir()
    assert here().namespace == SHARED
    monkeypatch.chdir(home)
    assert reach_of("auto") == here().reach
    assert reach_of("mine") == Reach("mine")
    assert here([home / "nowhere", origin(home / "repo", "git@github.com:Owner/repo")]).namespace == GITHUB


@pytest.mark.parametrize("url", ["https://me:pa/ss@host/x", "https://host/%2e%2e/x", "git@host:../../x"])
def test_an_address_that_may_hold_a_secret_or_leads_elsewhere_names_nothing(home: Path, url: str) -> None:
    """The repository's folder stands for it."""
    assert project_of(origin(home / "clone", url), home).namespace.startswith("folder:clone-")


def test_a_folder_that_cannot_be_looked_at_is_passed_over(home: Path) -> None:
    """The next one decides."""
    clone = origin(home / "clone", f"https://{GITHUB}")
    assert here([home / ("n" * 300), Path("/no\0folder"), clone]).namespace == GITHUB
