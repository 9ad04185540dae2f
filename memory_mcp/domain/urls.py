"""Addresses of servers in the settings."""

from __future__ import annotations

import ipaddress
import re
from typing import Final
from urllib.parse import SplitResult, parse_qs, parse_qsl, urlencode, urlsplit


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
_REDIS: Final = {"redis": "redis", "rediss": "rediss", "valkey": "redis", "valkeys": "rediss"}
_REDIS_EXAMPLE: Final = "give one like rediss://:password@cache.example.org:6379/0"
_REDIS_OPTIONS: Final = frozenset({"ssl_ca_certs", "ssl_certfile", "ssl_keyfile"})


def redis_url(given: str) -> str:
    """Return the URL of a Redis or Valkey server; no error quotes it, as it may hold a password.

    Raises:
        ValueError: it is none, or has parts that it must not have.
    """
    try:
        parts = urlsplit(given.strip())
        _ = parts.port  # parsed only now
    except ValueError:
        raise ValueError(f"this is not a URL; {_REDIS_EXAMPLE}") from None
    if parts.scheme not in _REDIS or not parts.hostname:
        raise ValueError(f"this is not the URL of a Redis or Valkey server; {_REDIS_EXAMPLE}")
    if parts.path.strip("/") and not parts.path.strip("/").isdigit():
        raise ValueError(f"the path of this URL is not the number of a database; {_REDIS_EXAMPLE}")
    if parts.fragment or parse_qs(parts.query).keys() - _REDIS_OPTIONS:
        raise ValueError(f"only {', '.join(sorted(_REDIS_OPTIONS))} may follow the question mark of this URL")
    return parts._replace(scheme=_REDIS[parts.scheme]).geturl()


def place_of(url: str) -> str:
    """Return where a server listens and which of its databases is meant, without user and password."""
    parts = _parts(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{host}{f':{parts.port}' if parts.port else ''}{parts.path}"


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


def postgres_url(given: str) -> str:
    """Return the URL of a PostgreSQL database.

    Raises:
        ValueError: it is none; the message does not quote it, as it may hold a password.
    """
    try:
        parts = urlsplit(given.strip())
        _ = parts.port  # parsed only now
    except ValueError:
        raise ValueError(f"it is not a URL; {_POSTGRES}") from None
    if parts.scheme not in {"postgresql", "postgres"}:
        raise ValueError(f"it does not begin with postgresql://; {_POSTGRES}")
    if _STRAY.search(given) or given.count("@") > 1 or "@" in parts.path + parts.query:
        raise ValueError(f"it has a character that must be percent-encoded; {_POSTGRES}")
    if any(not _PARAMETER.fullmatch(one) for one in parts.query.split("&") if parts.query):
        raise ValueError("what follows its question mark is not name=value, separated by &")
    return given.strip()


_POSTGRES = (
    "give one like postgresql://user:password@host:5432/database; in the password write %25 for %, %40 for @, %3A for :"
    ", %2F for /, %3F for ? and %23 for #"
)
_STRAY: Final = re.compile(r"#|%(?![0-9A-Fa-f]{2})")
_PARAMETER: Final = re.compile(r"\w+=[^=]*")
_SECRET = {"password", "sslpassword"}


def without_password(url: str) -> str:
    """Return a database's URL, for people."""
    parts = _parts(url)
    user, at, host = parts.netloc.rpartition("@")
    query = urlencode([(name, value) for name, value in parse_qsl(parts.query) if name not in _SECRET], safe="/,")
    return f"{parts.scheme}://{user.partition(':')[0]}{at}{host}{parts.path}{'?' if query else ''}{query}"
