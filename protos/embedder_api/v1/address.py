"""Where the daemon listens: `unix:/path`, the same default for both programs."""

from __future__ import annotations

import hashlib
import os
import socket
import stat
import sys
from pathlib import Path
from typing import Final
from urllib.parse import quote

from platformdirs import user_data_path

SCHEME: Final = "unix:"
MAX_PATH_BYTES: Final = 103 if sys.platform == "darwin" else 107
"""The longest path that fits `sockaddr_un` with its terminating NUL."""

_NAME: Final = "embedder.sock"
_PREFIX: Final = "memory-mcp-"
_SHORT: Final = Path("/tmp")  # noqa: S108 - in a folder of our own, whose owner both programs check


def default_address() -> str:
    """Return `unix:<data folder>/embedder.sock`, or a short path private to the user if that is too long for a socket.

    It is in the data folder, not the runtime folder: XDG_RUNTIME_DIR differs between a desktop session, ssh, launchd
    and cron, but both programs must find the same socket from all of them.
    """
    path = user_data_path("memory-mcp") / _NAME
    if len(bytes(path)) > MAX_PATH_BYTES:
        digest = hashlib.sha256(bytes(path)).hexdigest()[:16]
        path = _SHORT / f"{_PREFIX}{os.getuid()}-{digest}" / _NAME
    return f"{SCHEME}{path}"


def socket_path(address: str) -> Path:
    """Return the path of a `unix:` address.

    Raises:
        ValueError: another scheme, a relative path, or a path over MAX_PATH_BYTES.
    """
    if not address.startswith(SCHEME):
        raise ValueError(f"the address {address!r} must begin with {SCHEME!r}")
    path = Path(address.removeprefix(SCHEME))  # `unix:///a` and `unix:/a` are the same path
    if not path.is_absolute():
        raise ValueError(f"the socket path {str(path)!r} must be absolute")
    if (length := len(bytes(path))) > MAX_PATH_BYTES:
        raise ValueError(f"the socket path has {length} bytes, but at most {MAX_PATH_BYTES} fit: {path}")
    return path


def target(address: str) -> str:
    """Return the address for gRPC's clients: a URI, in which `%`, `?` and `#` are escaped."""
    return SCHEME + quote(os.fsencode(socket_path(address)))


def is_listened_to(path: Path) -> bool:
    """Whether a process holds the socket, even one that is stopped or too busy for another connection."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(0)
        try:
            probe.connect(str(path))
        except BlockingIOError:
            return True
        except OSError:
            return False
    return True


def is_anothers(path: Path) -> bool:
    """Whether the folder of a short default address belongs to another user, who could listen there instead."""
    folder = path.parent
    if folder.parent != _SHORT or not folder.name.startswith(_PREFIX):
        return False
    try:
        status = folder.lstat()
    except OSError:
        return False
    return status.st_uid != os.getuid() or bool(status.st_mode & (stat.S_IWGRP | stat.S_IWOTH))
