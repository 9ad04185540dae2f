"""A real identity provider, from `.venv-services` (`make test-services`)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

import httpx2
from joserfc.jwk import RSAKey

from tests.services.servers import PROGRAMS, answers, free_port, running


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider whose users sign in without a password, to any client."""

    issuer: str

    def token(self, subject: str, audience: str, **claims: object) -> str:
        """Let a user with these claims sign in to a client, and return the token that the provider signs for it."""
        redirect = "http://127.0.0.1/back"
        with httpx2.Client(base_url=self.issuer, timeout=60) as http:
            http.put(f"/users/{subject}", json=claims).raise_for_status()
            asked = {
                "client_id": audience,
                "redirect_uri": redirect,
                "response_type": "code",
                "scope": "openid profile",
            }
            moved = http.post("/oauth2/authorize", params=asked, data={"sub": subject})
            [code] = parse_qs(urlsplit(moved.headers["location"]).query)["code"]
            given = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect}
            answer = http.post("/oauth2/token", data=given, auth=(audience.replace(":", "%3A"), "any"))
            answer.raise_for_status()
            token: str = answer.json()["id_token"]
            return token

    def key(self) -> tuple[str, RSAKey]:
        """Return the id of its key, and its public half."""
        [key] = httpx2.get(f"{self.issuer}/jwks").json()["keys"]
        return key["kid"], RSAKey.import_key(key)


@contextmanager
def provider_of(seconds: int = 3_600) -> Iterator[Provider]:
    """Run a provider whose tokens are good for so long."""
    port = free_port()
    program = str(PROGRAMS / "bin" / "oidc-provider-mock")
    with running([program, "--port", str(port), "--token-max-age", str(seconds)], lambda: answers(port)):
        yield Provider(f"http://127.0.0.1:{port}")
