"""Attempts to break out of the sandbox; a document's name says which its reader makes.

An attempt that returns, or fails for another reason than a missing permission, got through. So most give the kernel
arguments that do nothing: without the box they fail with EFAULT or EBADF, in it with EPERM, before the kernel looks.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import platform
import resource
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Final

from memory_mcp.documents.readers.model import DocumentItem, DocumentSource, Header, TextBlock

_COLUMN: Final = {"x86_64": 0, "aarch64": 1}.get(platform.machine(), 0)
_HERE: Final = f"/tmp/break-out-{os.getpid()}"
_LIBC: Final = ctypes.CDLL(None, use_errno=True)
_NOTHING: Final = -1

CALLS: Final[dict[str, tuple[int, int]]] = {
    # other processes
    "clone": (56, 220),
    "clone3": (435, 435),
    "execve": (59, 221),
    "execveat": (322, 281),
    "kill": (62, 129),
    "tgkill": (234, 131),
    "rt_sigqueueinfo": (129, 138),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438),
    "pidfd_send_signal": (424, 424),
    "kcmp": (312, 272),
    "wait4": (61, 260),
    "setpriority": (141, 140),
    "sched_setaffinity": (203, 122),
    # the network
    "connect": (42, 203),
    "bind": (49, 200),
    "accept4": (288, 242),
    "sendto": (44, 206),
    "sendmsg": (46, 211),
    "recvmsg": (47, 212),
    # files
    "openat": (257, 56),
    "openat2": (437, 437),
    "open_by_handle_at": (304, 265),
    "name_to_handle_at": (303, 264),
    "memfd_create": (319, 279),
    "truncate": (76, 45),
    "ftruncate": (77, 46),
    "fallocate": (285, 47),
    "copy_file_range": (326, 285),
    "sendfile": (40, 71),
    "splice": (275, 76),
    "inotify_init1": (294, 26),
    "fanotify_init": (300, 262),
    "getdents64": (217, 61),
    "statx": (332, 291),
    "setxattr": (188, 5),
    "mknodat": (259, 33),
    "pipe2": (293, 59),
    "dup": (32, 23),
    "fcntl": (72, 25),
    "ioctl": (16, 29),
    # the system
    "mount": (165, 40),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "unshare": (272, 97),
    "setns": (308, 268),
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_register": (427, 427),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "syslog": (103, 116),
    "personality": (135, 92),
    "prctl": (157, 167),
    "seccomp": (317, 277),
    "prlimit64": (302, 261),
    "setuid": (105, 146),
    "capset": (126, 91),
    "shmget": (29, 194),
    "shmat": (30, 196),
    "semget": (64, 190),
    "msgget": (68, 186),
    "mq_open": (240, 180),
    "pkey_mprotect": (329, 288),
    "timer_create": (222, 107),
    "remap_file_pages": (216, 234),
    "mlock": (149, 228),
    "uname": (63, 160),
    "getppid": (110, 173),
    "getpid by another ABI": (0x40000000 | 39, 0x40000000 | 172),
}
"""System calls of Linux, with their numbers on x86-64 and ARM64; on another system a number is another call."""


def _call(number: int) -> None:
    if _LIBC.syscall(number, *([_NOTHING] * 6)) < 0 and ctypes.get_errno() in {errno.EPERM, errno.EACCES}:
        raise PermissionError


def _map_executable() -> None:
    mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC).close()


def _make_executable() -> None:
    memory = mmap.mmap(-1, mmap.PAGESIZE)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    if _LIBC.mprotect(ctypes.c_void_p(address), mmap.PAGESIZE, mmap.PROT_READ | mmap.PROT_EXEC) < 0:
        raise PermissionError


def _fork() -> None:
    if os.fork() == 0:
        os._exit(0)


def _start_thread() -> None:
    try:
        threading.Thread(target=int, daemon=True).start()
    except RuntimeError as error:
        raise PermissionError from error


def _write_file() -> None:
    Path(_HERE).write_text("broken out", encoding="ascii")
    Path(_HERE).unlink()


def _execute() -> None:
    os.execv("/bin/true", ["true"])


def _raise_limit() -> None:
    try:
        resource.setrlimit(resource.RLIMIT_CPU, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    except ValueError as error:
        raise PermissionError from error


def _connect_to_docker() -> None:
    socket.socket(socket.AF_UNIX, socket.SOCK_STREAM).connect("/var/run/docker.sock")


def _ask_for_access() -> None:
    if not os.access("/etc/passwd", os.R_OK):
        raise PermissionError


def _make(how: Callable[[str], object]) -> None:
    how(_HERE)
    (os.rmdir if os.path.isdir(_HERE) and not os.path.islink(_HERE) else os.unlink)(_HERE)


DEEDS: Final[dict[str, Callable[[], object]]] = {
    "read-passwords": lambda: os.open("/etc/passwd", os.O_RDONLY),
    "read-own-memory": lambda: os.open("/proc/self/mem", os.O_RDONLY),
    "read-environment-of-parent": lambda: os.open(f"/proc/{os.getppid()}/environ", os.O_RDONLY),
    "reopen-document-for-writing": lambda: os.open("/proc/self/fd/3", os.O_RDWR),
    "write-file": _write_file,
    "list-folder": lambda: os.listdir("/"),
    "ask-whether-file-exists": lambda: os.stat("/etc/passwd"),
    "ask-whether-link-exists": lambda: os.lstat("/etc/passwd"),
    "ask-for-access": _ask_for_access,
    "read-link": lambda: os.readlink("/proc/self/exe"),
    "change-folder": lambda: os.chdir("/"),
    "make-folder": lambda: _make(os.mkdir),
    "make-link": lambda: _make(partial(os.symlink, "/")),
    "make-fifo": lambda: _make(os.mkfifo),
    "remove-file": lambda: os.unlink(_HERE),
    "rename-file": lambda: os.rename(_HERE, _HERE),
    "change-mode": lambda: os.chmod(_HERE, 0o777),
    "set-time": lambda: os.utime(_HERE),
    "make-socket-of-internet": lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM),
    "make-socket-of-datagrams": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
    "make-pair-of-sockets": socket.socketpair,
    "connect-to-docker": _connect_to_docker,
    "fork": _fork,
    "start-thread": _start_thread,
    "execute": _execute,
    "kill-parent": lambda: os.kill(os.getppid(), 0),
    "kill-first": lambda: os.kill(1, 0),
    "map-executable-memory": _map_executable,
    "make-memory-executable": _make_executable,
    "raise-limit": _raise_limit,
    "become-another-user": lambda: os.setuid(os.getuid()),
}
"""What a program would do, through its language."""

ATTEMPTS: Final[dict[str, Callable[[], object]]] = DEEDS | {
    name: (lambda numbers=numbers: _call(numbers[_COLUMN]))
    for name, numbers in CALLS.items()
    if sys.platform == "linux"
}


def read(source: DocumentSource) -> Iterator[DocumentItem]:
    """Make an attempt, and yield how it went."""
    yield Header()
    yield TextBlock(_outcome(ATTEMPTS[source.name]))


def _outcome(attempt: Callable[[], object]) -> str:
    try:
        attempt()
    except PermissionError:
        return "refused"
    except OSError as error:
        return f"got through: {error}"
    return "got through"
