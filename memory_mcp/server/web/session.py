"""Who is signed in: a cookie and a secret of the page, each useless without the other.

A browser sends a cookie to every port of its host, so that another program on this machine may see it; the secret lies
in the page's own storage, which is bound to the port. Both are kept as digests, in memory: a front that ends signs
everybody out.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from memory_mcp.domain.ports import Tokens
from memory_mcp.domain.principal import Principal, Reach, Token, local_user
from memory_mcp.server.web.whereabouts import CODE_S

IDLE_S: Final = 12 * 3600.0
"""Seconds without a request after which a session ends."""
MOST_CODES: Final = 20
MOST_SESSIONS: Final = 20
"""Of one principal; the one of its own that was idle longest ends for a new one."""
BYTES: Final = 32

Monotonic = Callable[[], float]
"""Returns seconds that only grow."""


class Activity:
    """When a page was last used; a stream that is open counts as use."""

    def __init__(self, clock: Monotonic) -> None:
        self._clock = clock
        self._last = clock()
        self._streams: set[Callable[[], None]] = set()

    def touch(self) -> None:
        self._last = self._clock()

    def idle_s(self) -> float:
        """Return the seconds since a page was there."""
        return 0.0 if self._streams else self._clock() - self._last

    @contextlib.contextmanager
    def streaming(self, end: Callable[[], None]) -> Iterator[None]:
        """Count a stream for as long as the context lasts; `end` lets it end when the front does."""
        self._streams.add(end)
        try:
            yield
        finally:
            self._streams.discard(end)
            self.touch()

    def end(self) -> None:
        """Let all streams end."""
        for end in tuple(self._streams):
            end()


class Codes:
    """Sign-in links that were made and not used yet."""

    def __init__(self, clock: Monotonic) -> None:
        self._clock = clock
        self._ends: dict[str, float] = {}

    def make(self) -> str:
        """Return a new code, good for one sign-in within `CODE_S`."""
        self._forget()
        while len(self._ends) >= MOST_CODES:
            del self._ends[next(iter(self._ends))]
        code = secrets.token_urlsafe(BYTES)
        self._ends[_digest(code)] = self._clock() + CODE_S
        return code

    def redeem(self, code: str) -> bool:
        """Return whether a code is good; from now on it is not."""
        self._forget()
        return self._ends.pop(_digest(code), None) is not None

    def _forget(self) -> None:
        now = self._clock()
        self._ends = {code: end for code, end in self._ends.items() if now < end}


@dataclass(slots=True)
class PageSession:
    """One sign-in."""

    id: str
    """The digest of its cookie."""
    principal: Principal
    csrf: str
    secret: str
    """The digest of the page's secret."""
    token: str | None
    """The id of the token that it was opened with."""
    seen: float


class Opened(NamedTuple):
    """What a browser gets of a new session; neither is kept."""

    cookie: str
    secret: str
    session: PageSession


class Sessions:
    """The sessions of one front."""

    def __init__(self, tokens: Tokens, default: Reach, clock: Monotonic) -> None:
        self._tokens = tokens
        self._default = default
        self._clock = clock
        self._sessions: dict[str, PageSession] = {}

    def open(self, token: Token | None) -> Opened:
        """Open a session for a token's holder, or for the local user."""
        principal = token.principal(self._default) if token else local_user(self._default)
        self._make_room(principal.id)
        cookie, secret = secrets.token_urlsafe(BYTES), secrets.token_urlsafe(BYTES)
        csrf = secrets.token_urlsafe(BYTES)
        session = PageSession(
            _digest(cookie), principal, csrf, _digest(secret), token.id if token else None, self._clock()
        )
        self._sessions[session.id] = session
        return Opened(cookie, secret, session)

    def _make_room(self, principal: str) -> None:
        own = sorted((each for each in self._sessions.values() if each.principal.id == principal), key=_seen)
        for session in own[: max(0, len(own) - MOST_SESSIONS + 1)]:
            self.close(session)

    def find(self, cookie: str, secret: str) -> PageSession | None:
        """Return the session of a cookie and its secret, unless it has ended."""
        session = self._sessions.get(_digest(cookie))
        if session is None or not hmac.compare_digest(session.secret, _digest(secret)):
            return None
        if not self.is_valid(session):
            self.close(session)
            return None
        session.seen = self._clock()
        return session

    def is_valid(self, session: PageSession) -> bool:
        """Return whether a session goes on: not idle for too long, and its token neither expired nor revoked."""
        if session.id not in self._sessions or self._clock() - session.seen >= IDLE_S:
            return False
        return self.is_allowed(session)

    def is_allowed(self, session: PageSession) -> bool:
        """Return whether a session's token has neither expired nor been revoked; what it began may then go on."""
        return session.token is None or self._tokens.is_valid(session.token)

    def close(self, session: PageSession) -> None:
        self._sessions.pop(session.id, None)


def _seen(session: PageSession) -> float:
    return session.seen


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
