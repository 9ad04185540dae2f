"""The box on Linux: Landlock, and a seccomp filter. ctypes is all that it needs.

Landlock has no rule, and nothing can be opened; or one for a private folder, and files can be opened there alone.
"""

from __future__ import annotations

import ctypes
import os
import signal
import struct
from pathlib import Path
from typing import Final

from memory_mcp.documents.sandbox.seccomp import filtered

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 1, 4, 38
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same numbers on every architecture
_ASK_VERSION: Final = 1
_FILE_RIGHTS: Final = {1: 13, 2: 14, 3: 15, 5: 16}
"""By ABI: how many rights to files it knows, each a bit; reading a folder and executing are among them."""
_PATH_BENEATH: Final = 1
_PRIVATE_RIGHTS: Final = (1 << 1) | (1 << 2) | (1 << 3) | (1 << 5) | (1 << 7) | (1 << 8) | (1 << 14)
"""In a private folder: write, read and list files, remove them, make folders and files, and make them shorter (from
ABI 3 on)."""
_NETWORK_SINCE, _NETWORK_RIGHTS = 4, 0b11  # bind and connect TCP
_SCOPES_SINCE, _SCOPES = 6, 0b11  # abstract Unix sockets, and signals, of processes outside


class BoxError(Exception):
    """The kernel refused to close the box."""


def close_box(parent: int, folder: Path | None = None) -> tuple[int, bool]:
    """Close the box around this process, for good; call it with one thread.

    Args:
        parent: the process that must be alive; when it dies, this one is killed.
        folder: where files may be read and written; None for nowhere.

    Returns:
        Landlock's ABI, 0 where there is none, and whether there is a seccomp filter.

    Raises:
        BoxError: a step failed that every Linux has.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    _set(libc, _PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        raise BoxError("the reader process has died")
    _set(libc, _PR_SET_DUMPABLE, 0)
    _set(libc, _PR_SET_NO_NEW_PRIVS, 1)
    return _landlocked(libc, folder), filtered(libc, opens_files=folder is not None)


def _set(libc: ctypes.CDLL, option: int, value: int) -> None:
    if libc.prctl(option, value, 0, 0, 0) != 0:
        raise BoxError(f"prctl {option}: {os.strerror(ctypes.get_errno())}")


def _landlocked(libc: ctypes.CDLL, folder: Path | None) -> int:
    """Deny every right that the kernel's Landlock knows, those to the folder excepted; return its ABI."""
    abi = libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _ASK_VERSION)
    if abi < 1:
        return 0
    attributes = _attributes(abi)
    ruleset = libc.syscall(_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0)
    if ruleset < 0:
        return 0
    allowed = folder is None or _allowed(libc, ruleset, folder, abi)
    restricted = allowed and libc.syscall(_RESTRICT_SELF, ruleset, 0) == 0
    os.close(ruleset)
    return int(abi) if restricted else 0


def _allowed(libc: ctypes.CDLL, ruleset: int, folder: Path, abi: int) -> bool:
    """Add the rule for a folder."""
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        rule = struct.pack("=Qi", _PRIVATE_RIGHTS & _file_rights(abi), descriptor)
        return bool(libc.syscall(_ADD_RULE, ruleset, _PATH_BENEATH, rule, 0) == 0)
    finally:
        os.close(descriptor)


def _file_rights(abi: int) -> int:
    return (1 << _FILE_RIGHTS[max(known for known in _FILE_RIGHTS if known <= abi)]) - 1


def _attributes(abi: int) -> bytes:
    """Return `struct landlock_ruleset_attr`, as long as this ABI knows it."""
    files = _file_rights(abi)
    if abi < _NETWORK_SINCE:
        return struct.pack("=Q", files)
    if abi < _SCOPES_SINCE:
        return struct.pack("=QQ", files, _NETWORK_RIGHTS)
    return struct.pack("=QQQ", files, _NETWORK_RIGHTS, _SCOPES)
