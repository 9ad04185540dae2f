"""Where the daemon listens: `unix:/path`, the same default for both programs, or a port of a network.

A daemon on a network listens on `host:port`; a front finds all daemons of a name by `dns:///name:port`.
"""

from __future__ import annotations

import hashlib
import os
import re
import socket
import stat
import sys
from ipaddress import ip_address
from pathlib import Path
from typing import Final
from urllib.parse import quote

from platformdirs import user_data_path

SCHEME: Final = "unix:"
MAX_PATH_BYTES: Final = 103 if sys.platform == "darwin" else 107
"""The longest path that fits `sockaddr_un` with its terminating NUL."""

_DNS: Final = "dns:"
_TARGET: Final = re.compile(r"dns:(?://[^/]*/)?(?P<place>[^/]+)")
"""`dns:///name:port`, with the server to ask between the second and the third slash."""
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


def is_network(address: str) -> bool:
    """Whether a front finds daemons of this address by a name."""
    return address.startswith(_DNS)


def network_place(address: str) -> tuple[str, int]:
    """Return the host and port of `dns:///host:port`.

    Raises:
        ValueError: it is no such address.
    """
    if not (found := _TARGET.fullmatch(address)):
        raise ValueError(f"the address {address!r} must be like dns:///host:port")
    return host_and_port(found["place"])


def host_and_port(place: str) -> tuple[str, int]:
    """Return the host, an IPv6 address without brackets, and the port.

    Raises:
        ValueError: it is not `host:port`.
    """
    host, _, port = place.rpartition(":")
    if not (host and port.isdecimal() and 0 < int(port) < 65_536) or (":" in host and not host.startswith("[")):
        raise ValueError(f"{place!r} is not HOST:PORT, such as 127.0.0.1:50051 or [::1]:50051")
    return host.removeprefix("[").removesuffix("]"), int(port)


def is_loopback(host: str) -> bool:
    """Whether the host can only be this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def target(address: str) -> str:
    """Return the address for gRPC's clients: a URI, in which `%`, `?` and `#` of a path are escaped."""
    if is_network(address):
        return address
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
