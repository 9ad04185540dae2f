"""Checks the tokens of the identity provider: JWTs, by its own keys and by nothing that a token says of itself."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, TypeGuard

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jws import JWSRegistry

from memory_mcp.domain.errors import ForbiddenError
from memory_mcp.domain.ports.identities import Caller
from memory_mcp.domain.principal import MAX_TOKEN_NAME, Principal
from memory_mcp.http_settings import Grant
from memory_mcp.oidc.grants import Claims, granted
from memory_mcp.oidc.keys import ProviderKeys

MAX_TOKEN: Final = 32 * 1024
"""Characters of a token."""
MAX_HEADER: Final = 8 * 1024
"""Bytes of its header, in which a provider may put certificates; nothing of them is used."""
MAX_SUBJECT: Final = 255
SKEW_S: Final = 30
"""By which the provider's clock and ours may differ."""
LATEST: Final = datetime(9999, 1, 1, tzinfo=UTC).timestamp()
SIGN_IN: Final = "ID"
"""What Keycloak calls, in a claim, a token that says who signed in to a client; it is no access token."""
_TYPES: Final = frozenset({"jwt", "at+jwt", "application/at+jwt"})
_NAMES: Final = ("preferred_username", "email", "name", "sub")
"""Claims by which people know a caller, the best first."""


@dataclass(frozen=True, slots=True)
class TokenRules:
    """What a token must say, and what it then grants."""

    issuer: str
    audience: str
    algorithms: Sequence[str]
    grants: Sequence[Grant]
    namespace: str
    """The default one of callers who may use all."""


class OidcIdentities:
    """See `domain.ports.Identities`."""

    def __init__(self, rules: TokenRules, keys: ProviderKeys, now: Callable[[], float] = time.time) -> None:
        self._rules = rules
        self._keys = keys
        self._now = now
        # Unknown parameters of a header are ignored, as RFC 7515 wants it; `crit` is not.
        self._registry = JWSRegistry(algorithms=list(rules.algorithms), strict_check_header=False)
        self._registry.max_header_length = MAX_HEADER

    async def identify(self, bearer: str) -> Caller | None:
        """Return who presents a token.

        Raises:
            ForbiddenError: its claims grant nothing.
            SettingsError: the provider's keys cannot be fetched.
        """
        claims = await self._checked(bearer)
        if claims is None:
            return None
        subject, ends = str(claims["sub"]), float(str(claims["exp"]))
        found = granted(claims, self._rules.grants, self._rules.namespace)
        if found is None:
            raise ForbiddenError("no claim of this token grants anything here; ask who runs this server for access")
        scopes, reach = found
        principal = Principal(_id(self._rules.issuer, subject), _name(claims), scopes, reach, self._rules.issuer)
        return Caller(principal, datetime.fromtimestamp(ends + SKEW_S, UTC))

    async def is_valid(self, identity: Caller) -> bool:
        """Return True: such a token is not revoked, it is short-lived."""
        del identity
        return True

    async def _checked(self, bearer: str) -> Claims | None:
        """Return the claims of a token that is the provider's, meant for us, and valid now."""
        header = _header(bearer)
        if header is None or header.get("alg") not in self._rules.algorithms or not _is_access_token(header):
            return None
        key_id = header.get("kid")
        if not (key_id is None or isinstance(key_id, str)):
            return None
        key = await self._keys.find(key_id)
        if key is None:
            return None
        try:
            claims = jwt.decode(bearer, key, list(self._rules.algorithms), self._registry).claims
        except (JoseError, ValueError):
            return None
        return claims if self._holds(claims) else None

    def _holds(self, claims: Claims) -> bool:
        now, rules = self._now(), self._rules
        ends, begins, made = (claims.get(name) for name in ("exp", "nbf", "iat"))
        audience, subject = claims.get("aud"), claims.get("sub")
        return (
            claims.get("iss") == rules.issuer
            and claims.get("typ") != SIGN_IN
            and rules.audience in (audience if isinstance(audience, list) else [audience])
            and _is_time(ends)
            and now - SKEW_S < float(ends)
            and all(moment is None or (_is_time(moment) and float(moment) <= now + SKEW_S) for moment in (begins, made))
            and isinstance(subject, str)
            and 0 < len(subject) <= MAX_SUBJECT
        )


def is_jwt(bearer: str) -> bool:
    """Return whether a token has the shape of a JWT, which none of our own has."""
    return bearer.startswith("eyJ") and bearer.count(".") == 2


def _header(bearer: str) -> Mapping[str, object] | None:
    """Return what a token says of its key; nothing of it is believed."""
    if len(bearer) > MAX_TOKEN or not (bearer.isascii() and is_jwt(bearer)):
        return None
    first = bearer.partition(".")[0]
    try:
        header: object = json.loads(base64.urlsafe_b64decode(first + "=" * (-len(first) % 4)))
    except (ValueError, RecursionError):
        return None
    return header if isinstance(header, dict) else None


def _is_access_token(header: Mapping[str, object]) -> bool:
    kind = header.get("typ", "JWT")
    return isinstance(kind, str) and kind.lower() in _TYPES


def _is_time(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= LATEST


def _id(issuer: str, subject: str) -> str:
    """Return an id that is one person's alone, and of a fixed form whatever the provider calls them."""
    return f"oidc-{hashlib.sha256(json.dumps([issuer, subject]).encode()).hexdigest()[:24]}"


def _name(claims: Claims) -> str:
    found = (claims.get(name) for name in _NAMES)
    name = next(value for value in found if isinstance(value, str) and value.strip())
    return "".join(letter if letter.isprintable() else "?" for letter in name[:MAX_TOKEN_NAME])
