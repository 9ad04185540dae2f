"""The few settings that hooks read by themselves are what the program's own reader would say."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from platformdirs import user_config_path, user_data_path, user_state_path

from memory_mcp import settings
from memory_mcp.domain.errors import SettingsError
from memory_mcp.environment import own_folder
from memory_mcp.hooks import quick_settings

T = TypeVar("T")
VALUES = {
    "SQLITE_PATH": ["/srv/m.db", "~/m.db", "$HOME/m.db", "m.db", "/srv/", "", " /x", ":memory:"],
    "NAMESPACE": ["auto", "mine", "café", "", " ", "x" * 128, "x" * 129],
    "HOOK_START_CHARS": ["200", "9500", "199", "many", "1e3", " 300", "٣٠٠"],
    "HOOK_PROMPT_MS": ["50", "49", "60000", "-1", "0x40"],
    "HOOK_SOURCES": ["true", "false", "1", "0", "yes", "On", ""],
    "EMBEDDER_ADDRESS": ["unix:/run/e.sock", "unix:~/e.sock", "nonsense", "dns:///[::1]:5", "dns:///gpu:5"],
    "EMBEDDER_TLS_CERT": ["/srv/c.pem"],
    "STORAGE_BACKEND": ["sqlite_vec", "nothing"],
    "ENCRYPTION_KEY": ["0" * 64, "short", ""],
    "ENCRYPTION_KEY_FILE": ["/srv/key", "~/key", "key", ""],
}
FILES = [
    "",
    'namespace = "from the file"\nhook_start_chars = 500\n',
    "\ufeffhook_sources = true\n",
    "hook_start_chars = true\n",
    "hook_start_chars = 500.0\n",
    'sqlite_path = "~/file.db"\n',
    "namespace = [1]\n",
    "this is no TOML",
]
given_values = st.fixed_dictionaries({}, optional={name: st.sampled_from(values) for name, values in VALUES.items()})


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Make a home folder, and nothing of this machine's user."""
    for name in list(os.environ):
        if name.startswith(("MCP_MEMORY_", "XDG_")):
            monkeypatch.delenv(name)
    folder = Path(tempfile.mkdtemp(prefix="mm-", dir="/tmp"))
    monkeypatch.setenv("HOME", str(folder))
    yield folder
    shutil.rmtree(folder)


def quick() -> quick_settings.HookSettings:
    """Read what a hook reads."""
    return quick_settings.plain() or quick_settings.whole()


def read(how: Callable[[], T]) -> T | str:
    """Return the settings, or why there are none."""
    try:
        return how()
    except SettingsError as error:
        return str(error)


@given(values=given_values, file=st.sampled_from(FILES))
@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
def test_they_are_those_of_the_program(home: Path, values: dict[str, str], file: str) -> None:
    """Whatever is set, in the environment and in the file; what is wrong is refused with the program's own words."""
    config = home / ".config" / "memory-mcp" / "config.toml"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text(file)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in values.items():
            patch.setenv(f"MCP_MEMORY_{name}", value)
        got, loaded = read(quick), read(settings.load)
    if isinstance(loaded, str):
        assert got == loaded
        return
    assert isinstance(got, quick_settings.HookSettings)
    others = {"is_plain", "embedder_address", "embedder_tls", "encryption_key"}
    names = [name for name in got._fields if name not in others]
    assert {name: getattr(got, name) for name in names} == {name: getattr(loaded, name) for name in names}
    assert got.embedder_address in {None, loaded.embedder_address}
    assert got.embedder_tls == settings.tls_files(loaded)
    key = loaded.encryption_key
    assert got.encryption_key == (key.get_secret_value() if key else None)
    assert got.is_plain


def test_what_is_plain_needs_no_other_reader(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The defaults, a named store and a file are understood at once; a name in small letters is not."""
    assert quick_settings.plain() == quick_settings.HookSettings(home / ".local/share/memory-mcp/memory.db")
    monkeypatch.setenv("MCP_MEMORY_SQLITE_PATH", "/srv/m.db")
    (home / "named.toml").write_text('namespace = "file"\n')
    monkeypatch.setenv("MCP_MEMORY_CONFIG", str(home / "named.toml"))
    assert quick_settings.plain() == quick_settings.HookSettings(Path("/srv/m.db"), "file")
    monkeypatch.setenv("mcp_memory_namespace", "small")
    assert quick_settings.plain() is None


@pytest.mark.parametrize("moved", [False, True])
def test_folders_are_those_of_platformdirs(home: Path, monkeypatch: pytest.MonkeyPatch, *, moved: bool) -> None:
    """At their usual places, and where variables move them."""
    if moved:
        for name in ("CONFIG", "DATA", "STATE"):
            monkeypatch.setenv(f"XDG_{name}_HOME", str(home / name))
    assert own_folder("config") == user_config_path("memory-mcp")
    assert own_folder("data") == user_data_path("memory-mcp")
    assert own_folder("state") == user_state_path("memory-mcp")
