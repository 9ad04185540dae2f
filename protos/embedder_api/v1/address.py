"""Where the daemon listens: `unix:/path`, the same default for both programs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from platformdirs import user_data_path

SCHEME: Final = "unix:"
MAX_PATH_BYTES: Final = 103 if sys.platform == "darwin" else 107
"""The longest path that `sockaddr_un` holds beside its closing NUL."""


def default_address() -> str:
    """Return `unix:<data folder>/embedder.sock`.

    The data folder, not the runtime folder: XDG_RUNTIME_DIR differs between a desktop session, ssh, launchd
    and cron, and both programs must find the same socket from all of them.
    """
    return f"{SCHEME}{user_data_path('memory-mcp') / 'embedder.sock'}"


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
        raise ValueError(f"the socket path has {length} bytes, at most {MAX_PATH_BYTES} fit: {path}")
    return path
