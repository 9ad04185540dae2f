"""A fake of an identity provider: its keys, its two documents, and tokens of every kind, good and forged."""

from __future__ import annotations

import base64
import hmac
import json
import time
from collections.abc import AsyncIterator, Mapping
from typing import Final

import httpx2
from joserfc import jws, jwt
from joserfc.jwk import Key, RSAKey

ISSUER: Final = "https://id.example.org"
AUDIENCE: Final = "https://memory.example.org/mcp"
_RSA: Final = [RSAKey.generate_key(2048, auto_kid=False) for _ in range(2)]
"""Made once: each takes a tenth of a second."""


class FakeIssuer:
    """Answers HTTP through `transport`, and counts what it was asked for."""

    def __init__(self, issuer: str = ISSUER) -> None:
        self.issuer = issuer
        self.jwks_uri = f"{issuer}/keys"
        self.keys: dict[str, Key] = {"first": _RSA[0]}
        self.more_keys: list[dict[str, object]] = []
        """Beside its own in the document, as they stand there."""
        self.asked: list[str] = []
        self.answers: dict[str, httpx2.Response] = {}
        """By path, instead of the right ones."""

    def transport(self) -> httpx2.MockTransport:
        """Return what answers in place of the network."""
        return httpx2.MockTransport(lambda request: _streamed(self._answer(request)))

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        path = request.url.path
        self.asked.append(path)
        if path in self.answers:
            return self.answers[path]
        if path.endswith("/.well-known/openid-configuration"):
            return httpx2.Response(200, json={"issuer": self.issuer, "jwks_uri": self.jwks_uri})
        own = [{**key.as_dict(private=False), "kid": name, "use": "sig"} for name, key in self.keys.items()]
        return httpx2.Response(200, json={"keys": [*self.more_keys, *own]})

    def rotate(self) -> None:
        """Sign with another key from now on; the earlier one is gone."""
        self.keys = {"second": _RSA[1]}

    def claims(self, **changed: object) -> dict[str, object]:
        """Return the claims of a good token, with some changed; None leaves one out."""
        now = int(time.time())
        good = {"iss": self.issuer, "aud": AUDIENCE, "sub": "ann", "iat": now, "nbf": now, "exp": now + 60}
        return {name: value for name, value in {**good, **changed}.items() if value is not None}

    def token(self, claims: Mapping[str, object] | None = None, header: Mapping[str, object] | None = None) -> str:
        """Return a token that is signed with its newest key."""
        name, key = list(self.keys.items())[-1]
        return signed(claims or self.claims(), key, {"alg": "RS256", "kid": name, **(header or {})})


def _streamed(response: httpx2.Response) -> httpx2.Response:
    """Return a response whose body comes in parts, as one from the network does."""

    async def parts() -> AsyncIterator[bytes]:
        for start in range(0, len(response.content), 100_000):
            yield response.content[start : start + 100_000]

    return httpx2.Response(response.status_code, headers=response.headers, content=parts())


def signed(claims: Mapping[str, object], key: Key, header: Mapping[str, object]) -> str:
    """Return a token; the header says what it likes."""
    allowed = jws.JWSRegistry(algorithms=[str(header["alg"])], strict_check_header=False)
    return jwt.encode(dict(header), dict(claims), key, registry=allowed)


def unsigned(claims: Mapping[str, object], kid: str) -> str:
    """Return a token of `alg` none."""
    return (_part({"alg": "none", "typ": "JWT", "kid": kid}) + b"." + _part(claims) + b".").decode()


def signed_with_public_key(claims: Mapping[str, object], key: Key, kid: str) -> str:
    """Return a token of HS256 whose secret is the public key: a careless verifier would take it."""
    assert isinstance(key, RSAKey)
    head = _part({"alg": "HS256", "typ": "JWT", "kid": kid}) + b"." + _part(claims)
    mac = hmac.new(key.as_pem(private=False), head, "sha256").digest()
    return (head + b"." + base64.urlsafe_b64encode(mac).rstrip(b"=")).decode()


def _part(value: Mapping[str, object]) -> bytes:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=")
