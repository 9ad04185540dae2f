"""Addresses of HTTP servers in the settings."""

from __future__ import annotations

import ipaddress
from urllib.parse import SplitResult, urlsplit


def http_url(given: str) -> str:
    """Return the URL of a server without a slash at its end.

    Raises:
        ValueError: it is none, or has parts that a server's URL must not have.
    """
    try:
        parts = urlsplit(given.strip())
        _ = parts.port  # parsed only now
    except ValueError as error:
        raise ValueError(f"{given!r} is not a URL ({error}); {_EXAMPLE}") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(f"{given!r} is not an HTTP URL; {_EXAMPLE}")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError(f"a user name, query or fragment does not belong in this URL; {_EXAMPLE}")
    return parts.geturl().rstrip("/")


_EXAMPLE = "give one like http://127.0.0.1:11434"


def is_loopback(url: str) -> bool:
    """Return whether the server can only be on this machine."""
    host = _parts(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def is_encrypted(url: str) -> bool:
    """Return whether nobody on the way can read along."""
    return _parts(url).scheme == "https"


def host_of(url: str) -> str:
    """Return the host, for people."""
    return _parts(url).hostname or url


def _parts(url: str) -> SplitResult:
    return urlsplit(url)
