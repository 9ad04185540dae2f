"""The identity provider's public keys, fetched from where its discovery document says."""

from __future__ import annotations

import asyncio
import time
import warnings
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import urlsplit

import httpx2
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import ECKey, OKPKey, RSAKey, import_key
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from memory_mcp.domain.checks import Inquiry
from memory_mcp.domain.errors import SettingsError
from memory_mcp.domain.models import Condition, Finding
from memory_mcp.domain.urls import is_encrypted, is_loopback
from memory_mcp.health.registry import Registry

DISCOVERY: Final = "/.well-known/openid-configuration"
MAX_BYTES: Final = 512 * 1024
"""Of each of the two documents."""
FETCH_S: Final = 10.0
"""For both together."""
FRESH_S: Final = 3_600.0
"""How long keys are used before they are fetched again."""
OLDEST_S: Final = 86_400.0
"""How long they are used where they cannot be fetched again."""
AGAIN_S: Final = 60.0
"""Between two fetches, whatever tokens ask for and however the last one ended."""
MAX_KEYS: Final = 100
MIN_RSA_BITS: Final = 2_048
SIGNING_CURVES: Final = ("Ed25519", "Ed448")
"""Of OKP keys; the others are for key agreement."""

PublicKey = RSAKey | ECKey | OKPKey
KeySet = Mapping[str | None, PublicKey]
"""By their ids; a key without one is under None if it is the only such key."""


class _Discovery(BaseModel):
    model_config = ConfigDict(extra="ignore")

    issuer: str
    jwks_uri: str


class _KeyDocument(BaseModel):
    model_config = ConfigDict(extra="ignore")

    keys: list[dict[str, object]] = Field(max_length=MAX_KEYS)


class ProviderKeys:
    """The keys of one issuer; what cannot be fetched leaves the ones that are known."""

    def __init__(
        self,
        issuer: str,
        clock: Callable[[], float] = time.monotonic,
        transport: Callable[[], httpx2.AsyncBaseTransport | None] = lambda: None,
    ) -> None:
        self.issuer = issuer
        self._clock = clock
        self._transport = transport
        self._keys: KeySet = {}
        self._fetched = self._tried = -float("inf")
        self._renewing: asyncio.Task[None] | None = None
        self.trouble = ""
        """Why the last fetch failed; empty if it did not."""

    async def find(self, key_id: str | None) -> PublicKey | None:
        """Return a key; an unknown id has the keys fetched again, at most once a minute.

        Raises:
            SettingsError: no keys are known that are not too old, and none can be fetched.
        """
        now = self._clock()
        is_old = now - self._fetched >= FRESH_S
        if now - self._tried >= AGAIN_S and (is_old or self._known(key_id) is None):
            self._tried = now
            self._renewing = asyncio.create_task(self._renew())
        if self._renewing is not None and (is_old or self._known(key_id) is None):
            await asyncio.shield(self._renewing)  # others wait for it too; a key may have been withdrawn
        if self._are_too_old():
            raise SettingsError(f"{self.trouble}; check that it runs, and MCP_MEMORY_OIDC_ISSUER")
        return self._known(key_id)

    def _known(self, key_id: str | None) -> PublicKey | None:
        """Return a key; that of a token that names none is clear only where there is one."""
        if key_id is None:
            return next(iter(self._keys.values())) if len(self._keys) == 1 else None
        return self._keys.get(key_id)

    def _are_too_old(self) -> bool:
        return self._clock() - self._fetched >= OLDEST_S

    async def _renew(self) -> None:
        began = self._clock()
        try:
            async with asyncio.timeout(FETCH_S):
                self._keys = await self._fetch()
        except SettingsError as error:
            self._note(str(error))
        except (TimeoutError, OSError, httpx2.HTTPError, httpx2.InvalidURL, ValidationError) as error:
            self._note(f"it does not answer as it should ({type(error).__name__})")
        else:
            self._fetched, self.trouble = began, ""

    def _note(self, cause: str) -> None:
        self.trouble = f"the keys of the identity provider {self.issuer} cannot be fetched: {cause}"

    async def _fetch(self) -> KeySet:
        async with httpx2.AsyncClient(
            follow_redirects=False, trust_env=False, timeout=FETCH_S, transport=self._transport()
        ) as client:
            found = _Discovery.model_validate_json(await _body(client, self.issuer.rstrip("/") + DISCOVERY))
            if found.issuer != self.issuer:
                raise SettingsError(f"it calls itself {found.issuer[:200]!r}, not as the setting does")
            self._check(found.jwks_uri)
            return _usable(_KeyDocument.model_validate_json(await _body(client, found.jwks_uri)))

    def _check(self, url: str) -> None:
        """Refuse keys from an address that others could stand in for.

        Raises:
            SettingsError: says which.
        """
        try:
            is_url = bool(urlsplit(url).hostname)
        except ValueError:
            is_url = False
        if not is_url or not (is_encrypted(url) or (is_loopback(url) and is_loopback(self.issuer))):
            raise SettingsError(f"it names {url[:200]!r} for its keys, which is not https")


def register(registry: Registry, keys: ProviderKeys) -> None:
    """Register the check of the provider."""

    async def look(inquiry: Inquiry) -> Finding:
        del inquiry
        try:
            await keys.find(None)
        except SettingsError as error:
            return Finding(Condition.FAILED, "unusable", *error.told())
        return Finding(Condition.OK, "reachable", detail=f"{keys.issuer} has keys for signatures")

    registry.add("provider", look)


async def _body(client: httpx2.AsyncClient, url: str) -> bytes:
    """Return an answer of bounded size.

    Raises:
        SettingsError: it is too long, or no success; a redirect is none.
    """
    body = bytearray()
    headers = {"accept": "application/json", "accept-encoding": "identity"}
    async with client.stream("GET", url, headers=headers) as response:
        if response.status_code != httpx2.codes.OK:
            raise SettingsError(f"{url} answers {response.status_code}")
        async for part in response.aiter_raw():
            body += part
            if len(body) > MAX_BYTES:
                raise SettingsError(f"{url} answers with more than {MAX_BYTES:,} bytes")
    return bytes(body)


def _usable(document: _KeyDocument) -> KeySet:
    """Return the public keys that may check signatures; the others of a provider do not harm.

    Raises:
        SettingsError: there is none.
    """
    keys: dict[str | None, PublicKey] = {}
    nameless = 0
    for given in document.keys:
        key, key_id = _public(given), given.get("kid")
        if key is not None and (key_id is None or isinstance(key_id, str)):
            keys[key_id] = key
            nameless += key_id is None
    if nameless > 1:
        del keys[None]
    if not keys:
        raise SettingsError("it has no public key for signatures")
    return keys


def _public(given: Mapping[str, object]) -> PublicKey | None:
    """Return a public key for signatures; None for any other: a secret in a public document is nobody's."""
    if given.get("use", "sig") != "sig" or given.get("kty") not in ("RSA", "EC", "OKP") or "d" in given:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SecurityWarning)  # weak keys are left out below
            key = import_key({name: value for name, value in given.items() if isinstance(value, str | list)})
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    if isinstance(key, RSAKey):
        return key if key.raw_value.key_size >= MIN_RSA_BITS else None
    if isinstance(key, OKPKey):
        return key if key.curve_name in SIGNING_CURVES else None
    return key if isinstance(key, ECKey) else None
