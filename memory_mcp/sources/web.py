"""HTTP for sources: bounded answers, and redirects that carry nothing to another origin."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
import socket
import ssl
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Final

import httpx2

from memory_mcp.domain.sources import SourceError
from memory_mcp.environment import HOP_HEADER
from memory_mcp.sources.adapter import FaultError

MAX_REDIRECTS: Final = 5
MAX_DEPTH_ERROR: Final = "its answer is nested too deeply"
NOT_MODIFIED: Final = 304
MARK: Final = "1"
"""The value of what tells another memory-mcp that we ask as a source, so that none becomes its own."""
_PASSING: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_ANYBODYS: Final = ipaddress.IPv6Network("2000::/3")
_6TO4: Final = ipaddress.IPv6Network("2002::/16")
_NOT_OURS: Final = "name the final address in its section"
_CHECK_SERVER: Final = "check that it runs, and the address in its section"


@cache
def certificates() -> ssl.SSLContext:
    """Return what servers' certificates are checked with; it is the same for all."""
    return httpx2.create_ssl_context(trust_env=False)


@dataclass(frozen=True, slots=True)
class WebAnswer:
    """An answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class WebRequest:
    """A request; its secrets are in place."""

    method: str
    url: str
    headers: Mapping[str, str]
    json: object = None


class Web:
    """Sends requests; connects at the first one. Made in a thread: the certificates take 20 ms to read."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._client = httpx2.AsyncClient(
            follow_redirects=False,
            trust_env=False,  # no proxy, and no password of a .netrc, that the section does not name
            timeout=None,  # the deadline is the caller's
            limits=httpx2.Limits(max_connections=4, max_keepalive_connections=2, keepalive_expiry=60),
            verify=certificates(),
        )

    async def fetch(self, request: WebRequest) -> WebAnswer:
        """Return the answer at the end of the redirects, if its status is one of success or 304.

        Raises:
            FaultError: there is none, or it is no success; the message has nothing of the query, secrets or content.
        """
        try:
            url = httpx2.URL(request.url)
        except httpx2.InvalidURL as error:
            raise FaultError("its address is not a URL", _NOT_OURS) from error
        try:
            return await self._followed(request, url)
        except httpx2.TimeoutException as error:
            raise FaultError(f"{url.host} did not answer in time", _CHECK_SERVER, is_passing=True) from error
        except (httpx2.ConnectError, httpx2.NetworkError) as error:
            raise FaultError(f"{_place(url)} cannot be reached", _CHECK_SERVER, is_passing=True) from error
        except httpx2.HTTPError as error:
            raise FaultError(
                f"{_place(url)} broke the connection or does not speak HTTP ({type(error).__name__})",
                _CHECK_SERVER,
                is_passing=True,
            ) from error

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _followed(self, request: WebRequest, url: httpx2.URL) -> WebAnswer:
        first, method, headers = url, request.method, {**request.headers}
        for _ in range(MAX_REDIRECTS + 1):
            async with self._sent(method, url, headers, request.json, is_ours=_origin(url) == _origin(first)) as got:
                location = got.headers.get("location")
                if got.status_code not in _REDIRECTS or not location:
                    return await self._read(got, url)
            url = _next(url, location)
            if _origin(url) != _origin(first):
                if method != "GET":
                    raise FaultError("it redirects a POST to another server, which is not followed", _NOT_OURS)
                headers = {"accept": "application/json"}
            elif got.status_code == 303:
                method = "GET"
        raise FaultError(f"it redirects more than {MAX_REDIRECTS} times", _NOT_OURS)

    @contextlib.asynccontextmanager
    async def _sent(
        self, method: str, url: httpx2.URL, headers: Mapping[str, str], content: object, *, is_ours: bool
    ) -> AsyncIterator[httpx2.Response]:
        """Send a request; to a server that the section does not name, at an address that is known to be public."""
        extensions: dict[str, object] = {}
        sent = {"accept-encoding": "identity", HOP_HEADER: MARK, **headers}
        if not is_ours:
            address = await _public_address(url)
            sent["host"] = url.netloc.decode("ascii")
            extensions["sni_hostname"] = url.host
            url = url.copy_with(host=address)
        payload = content if method != "GET" else None
        async with self._client.stream(method, url, headers=sent, json=payload, extensions=extensions) as response:
            response.cookies.clear()
            self._client.cookies.clear()
            yield response

    async def _read(self, response: httpx2.Response, url: httpx2.URL) -> WebAnswer:
        if response.status_code != NOT_MODIFIED and not response.is_success:
            raise _refused(response, url)
        if response.headers.get("content-encoding", "identity") != "identity":
            raise FaultError("it answers compressed, though asked not to", "switch compression off for this address")
        told = response.headers.get("content-length", "")
        body = bytearray()
        if not (told.isdigit() and int(told) > self._max_bytes):
            async for part in response.aiter_raw(64 << 10):
                body += part
                if len(body) > self._max_bytes:
                    break
            else:
                return WebAnswer(response.status_code, response.headers, bytes(body))
        raise FaultError(
            f"its answer is longer than {self._max_bytes:,} bytes", "have it answer with less, or raise its max_bytes"
        )


def parsed(page: WebAnswer) -> object:
    """Return an answer's JSON.

    Raises:
        FaultError: it is none.
    """
    kind = page.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        return json.loads(page.body.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise FaultError("its answer is not UTF-8", "have it answer with JSON in UTF-8") from error
    except RecursionError as error:
        raise FaultError(MAX_DEPTH_ERROR, "have it answer with less") from error
    except ValueError as error:
        what = "HTML" if kind == "text/html" or page.body.lstrip()[:1] == b"<" else kind or "no JSON"
        raise FaultError(
            f"it answers {what}, not JSON", "name the address of its API in the section; an HTML page will not do"
        ) from error


def _refused(response: httpx2.Response, url: httpx2.URL) -> SourceError:
    status, wait = response.status_code, _retry_after(response.headers.get("retry-after", ""))
    fix = _CHECK_SERVER
    if status in {401, 403}:
        fix = "check the secret in its headers"
    elif status in {400, 404, 405, 410, 415, 422}:
        fix = "check the URL, method and body in its section"
    elif status == 429 or wait:
        fix = "wait, or ask it less often"
    return FaultError(
        f"{_place(url)} answers {status} {response.reason_phrase[:60]}".rstrip(),
        fix,
        retry_after_s=wait,
        is_passing=status in _PASSING,
    )


def _retry_after(told: str) -> float | None:
    """Return the seconds of a Retry-After, at most an hour."""
    if told.isdigit():
        return float(min(int(told[:9]), 3_600)) or None
    try:
        seconds = (parsedate_to_datetime(told) - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError):
        return None
    return min(seconds, 3_600.0) if seconds > 0 else None


def _origin(url: httpx2.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _place(url: httpx2.URL) -> str:
    return f"{url.host}:{url.port}" if url.port else url.host


def _next(url: httpx2.URL, location: str) -> httpx2.URL:
    try:
        target = url.join(location)
    except httpx2.InvalidURL as error:
        raise FaultError("it redirects to what is no URL", _NOT_OURS) from error
    if target.scheme not in {"http", "https"} or (url.scheme == "https" and target.scheme == "http"):
        raise FaultError("it redirects away from HTTPS, which is not followed", _NOT_OURS)
    return target.copy_with(userinfo=b"") if target.userinfo else target


async def _public_address(url: httpx2.URL) -> str:
    """Return an address of a host if all are public: a redirect must not reach what only this machine can.

    It is resolved once, and the connection goes to what was looked at.
    """
    try:
        found = await asyncio.get_running_loop().getaddrinfo(url.host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise FaultError("it redirects to a server that cannot be found", _NOT_OURS) from error
    addresses = [str(place[4][0]).partition("%")[0] for place in found]
    if not all(is_public(address) for address in addresses):
        raise FaultError("it redirects to a private address, which is not followed", _NOT_OURS)
    return addresses[0]


def is_public(address: str) -> bool:
    """Say whether an address is anybody's; one of IPv6 that stands for another of IPv4 is not taken for it."""
    parsed_address = ipaddress.ip_address(address)
    if isinstance(parsed_address, ipaddress.IPv6Address):
        if parsed_address.ipv4_mapped is not None:
            return is_public(str(parsed_address.ipv4_mapped))
        if parsed_address not in _ANYBODYS or parsed_address in _6TO4:
            return False
    return parsed_address.is_global and not parsed_address.is_multicast
