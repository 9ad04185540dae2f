"""How a client is told what token it needs (RFC 6750), and where to get it (RFC 9728)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from starlette.responses import JSONResponse

from memory_mcp.domain.errors import ForbiddenError
from memory_mcp.domain.principal import Scope
from memory_mcp.http_settings import Grant

METADATA_PATH: Final = "/.well-known/oauth-protected-resource"
WORDS: Final = frozenset({"scope", "scp"})
"""Claims whose values a client asks the provider for."""


@dataclass(frozen=True, slots=True)
class ProtectedResource:
    """What this server is to an identity provider."""

    url: str
    """Of the protocol, as clients know it."""
    issuer: str
    grants: Sequence[Grant]

    @property
    def metadata_url(self) -> str:
        """Where clients read `metadata`."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}{METADATA_PATH}{parts.path.rstrip('/')}"

    @property
    def paths(self) -> tuple[str, ...]:
        """The paths that answer with `metadata`: that of the URL, and those that a client may guess."""
        path = urlsplit(self.url).path.rstrip("/")
        return tuple(dict.fromkeys((f"{METADATA_PATH}{path}", f"{METADATA_PATH}/mcp", METADATA_PATH)))

    def metadata(self) -> Mapping[str, object]:
        """Return the document of RFC 9728."""
        scopes = self.words_for()
        return {
            "resource": self.url,
            "authorization_servers": [self.issuer],
            "bearer_methods_supported": ["header"],
            "resource_name": "memory-mcp",
            **({"scopes_supported": scopes} if scopes else {}),
        }

    def words_for(self, wanted: Sequence[Scope] = ()) -> list[str]:
        """Return what a client asks the provider for: the scopes of grants, those alone that give what is wanted."""
        useful = (
            grant.value
            for grant in self.grants
            if grant.claim in WORDS and grant.value != "*" and (not wanted or _gives(grant, wanted))
        )
        return list(dict.fromkeys(useful))


def _gives(grant: Grant, wanted: Sequence[Scope]) -> bool:
    return Scope.ADMIN in grant.scopes or not set(wanted).isdisjoint(grant.scopes)


@dataclass(frozen=True, slots=True)
class Challenge:
    """Makes the answers to who shows no token, a wrong one, or one that does not suffice."""

    resource: ProtectedResource | None = None
    """None: there is no identity provider, and tokens are our own."""

    def unauthorized(self, *, shown: bool) -> JSONResponse:
        """Return 401 with what fixes it."""
        sentence = "this bearer token is not valid" if shown else "a bearer token is required"
        if self.resource is None:
            fix = "`memory-mcp token create NAME` makes one"
        else:
            fix = f"sign in at {self.resource.issuer}, or use one that `memory-mcp token create NAME` made"
        return self._answer(401, f"{sentence}; {fix}", "invalid_token" if shown else "", self._words())

    def forbidden(self, error: ForbiddenError, wanted: Sequence[Scope] = ()) -> JSONResponse:
        """Return 403: the token is valid, and more is needed."""
        return self._answer(403, str(error), "insufficient_scope", self._words(wanted))

    def _words(self, wanted: Sequence[Scope] = ()) -> Sequence[str]:
        return self.resource.words_for(wanted) if self.resource else ()

    def _answer(self, status: int, sentence: str, error: str, words: Sequence[str]) -> JSONResponse:
        told = {
            "realm": "memory-mcp",
            "error": error,
            "scope": " ".join(words),
            "resource_metadata": self.resource.metadata_url if self.resource else "",
        }
        header = "Bearer " + ", ".join(f'{name}="{value}"' for name, value in told.items() if value)
        return JSONResponse({"error": sentence}, status, {"WWW-Authenticate": header})
