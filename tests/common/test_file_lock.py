"""A lock has one holder, and goes with it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

from memory_common.file_lock import FileLock, locked
from tests.daemon.daemonkit import until

HOLDS = """
import sys
from pathlib import Path
from memory_common.file_lock import FileLock
assert FileLock(Path(sys.argv[1])).take()
print("held", flush=True)
sys.stdin.read()
"""


def test_a_killed_holder_lets_go(tmp_path: Path) -> None:
    """Meanwhile it is named, and taking the lock waits for nobody."""
    path = tmp_path / "lock"
    command = [sys.executable, "-c", HOLDS, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "held\n"
            lock = FileLock(path)
            assert (lock.take(), lock.owner()) == (False, str(holder.pid))
        finally:
            holder.kill()
    assert lock.take()
    assert lock.owner() == str(os.getpid())
    lock.release()


def test_who_waits_gets_it_when_it_is_free(tmp_path: Path) -> None:
    """The file stays, so that both hold the same one."""
    path, got = tmp_path / "lock", threading.Event()

    def wait() -> None:
        with locked(path):
            got.set()

    with locked(path):
        inode = path.stat().st_ino
        waiting = threading.Thread(target=wait)
        waiting.start()
        assert not FileLock(path).take()
        assert not got.is_set()
    until(got.is_set, "the other one holds it")
    waiting.join()
    assert path.stat().st_ino == inode
