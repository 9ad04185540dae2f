"""The seccomp filter of a reader's child: a list of the system calls that computing, and reading what is open, need.

It is a list of what is allowed because a list of what is refused is never complete: each kernel adds calls, and an old
call gets new powers. What is not listed fails with EPERM, as a missing permission does, so that a library that only
asks (isatty, the number of processors) carries on; nothing here opens, so `stat` by path is refused too. Where files
may be opened, Landlock says which.
"""

from __future__ import annotations

import ctypes
import errno
import platform
import struct
from collections.abc import Iterator
from typing import Final

ARCHITECTURES: Final = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}
"""By machine: its AUDIT_ARCH, and the column of its numbers below."""

_CALLS: Final[dict[str, tuple[int | None, int | None]]] = {
    # what is open: the document and the pipe
    "read": (0, 63),
    "pread64": (17, 67),
    "readv": (19, 65),
    "preadv": (295, 69),
    "write": (1, 64),
    "writev": (20, 66),
    "lseek": (8, 62),
    "fstat": (5, 80),
    "close": (3, 57),
    # memory
    "brk": (12, 214),
    "munmap": (11, 215),
    "mremap": (25, 216),
    "madvise": (28, 233),
    "membarrier": (324, 283),
    # time
    "clock_gettime": (228, 113),
    "clock_getres": (229, 114),
    "gettimeofday": (96, 169),
    "time": (201, None),
    "nanosleep": (35, 101),
    "clock_nanosleep": (230, 115),
    # the process itself: its signals, locks, chance and end
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "sigaltstack": (131, 132),
    "restart_syscall": (219, 128),
    "futex": (202, 98),
    "set_robust_list": (273, 99),
    "rseq": (334, 293),
    "sched_yield": (24, 124),
    "getpid": (39, 172),
    "gettid": (186, 178),
    "getrusage": (98, 165),
    "getrandom": (318, 278),
    "exit": (60, 93),
    "exit_group": (231, 94),
}
_FILE_CALLS: Final[dict[str, tuple[int | None, int | None]]] = {
    "open": (2, None),
    "openat": (257, 56),
    "stat": (4, None),
    "lstat": (6, None),
    "newfstatat": (262, 79),
    "statx": (332, 291),
    "access": (21, None),
    "faccessat": (269, 48),
    "faccessat2": (439, 439),
    "readlink": (89, None),
    "readlinkat": (267, 78),
    "getdents64": (217, 61),
    "getcwd": (79, 17),
    "geteuid": (107, 175),
    "fcntl": (72, 25),
    "pwrite64": (18, 68),
    "ftruncate": (77, 46),
    "fallocate": (285, 47),
    "fsync": (74, 82),
    "fdatasync": (75, 83),
    "fchmod": (91, 52),
    "fchown": (93, 55),
    "unlink": (87, None),
    "unlinkat": (263, 35),
    "mkdir": (83, None),
    "mkdirat": (258, 34),
}
"""Allowed too where files may be opened: what a database and its log need, and an archive's folders."""
_NOT_EXECUTABLE: Final[dict[str, tuple[int, int]]] = {"mmap": (9, 222), "mprotect": (10, 226)}
"""Allowed without PROT_EXEC: no machine code but what was mapped before the box closed."""

_LOAD, _EQUALS, _HAS_BIT, _RETURN = 0x20, 0x15, 0x45, 0x06  # BPF: ld [k], jeq, jset, ret
_NUMBER_AT, _ARCHITECTURE_AT, _PROTECTION_AT = 0, 4, 32  # in struct seccomp_data; the low half of the third argument
_PROT_EXEC: Final = 4
_ALLOW, _KILL, _REFUSE = 0x7FFF0000, 0x80000000, 0x00050000 | errno.EPERM
_PR_SET_SECCOMP, _MODE_FILTER = 22, 2


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def filtered(libc: ctypes.CDLL, *, opens_files: bool = False) -> bool:
    """Install the filter, for good; the process must have given up new privileges, and have one thread.

    Return whether this system has such filters.
    """
    if platform.machine() not in ARCHITECTURES:
        return False
    code = b"".join(_instructions(*ARCHITECTURES[platform.machine()], _CALLS | (_FILE_CALLS if opens_files else {})))
    installed = libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(_Program(len(code) // 8, code)), 0, 0)
    return bool(installed == 0)


def _instructions(architecture: int, column: int, allowed: dict[str, tuple[int | None, int | None]]) -> Iterator[bytes]:
    """Yield the program: each call ends in its own return, so that no jump goes far."""
    yield _instruction(_LOAD, _ARCHITECTURE_AT)
    yield _instruction(_EQUALS, architecture, no=0, yes=1)
    yield _instruction(_RETURN, _KILL)  # another ABI counts its calls differently
    yield _instruction(_LOAD, _NUMBER_AT)
    for numbers in allowed.values():
        if (number := numbers[column]) is not None:
            yield _instruction(_EQUALS, number, no=1)
            yield _instruction(_RETURN, _ALLOW)
    for numbers in _NOT_EXECUTABLE.values():
        yield _instruction(_EQUALS, numbers[column], no=4)
        yield _instruction(_LOAD, _PROTECTION_AT)
        yield _instruction(_HAS_BIT, _PROT_EXEC, no=1)
        yield _instruction(_RETURN, _REFUSE)
        yield _instruction(_RETURN, _ALLOW)
    yield _instruction(_RETURN, _REFUSE)


def _instruction(code: int, operand: int, *, yes: int = 0, no: int = 0) -> bytes:
    return struct.pack("=HBBI", code, yes, no, operand)
