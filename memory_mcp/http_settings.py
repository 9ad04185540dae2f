"""The settings of a server over HTTP: who may call, what is listened to, and what is written down of it."""

from __future__ import annotations

import re
from typing import Annotated, Final

from platformdirs import user_config_path
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo
from pydantic_settings import BaseSettings

from memory_mcp.domain.models import MAX_NAMESPACE
from memory_mcp.domain.names import nfc
from memory_mcp.domain.principal import Scope
from memory_mcp.domain.urls import http_url, is_encrypted, is_loopback
from memory_mcp.setting_types import FilePath, Names

MCP_PATH: Final = "/mcp"
ANY: Final = "*"
"""As a claim's value: any. As a namespace: all."""
MAX_GRANTS: Final = 200
MAX_NAMESPACES: Final = 50
"""Of one grant."""
PLACEHOLDER: Final = re.compile(r"(?P<before>[^{}]*)\{(?P<claim>[^{}]{1,200})\}")
"""A namespace that ends with a claim's value, such as `person-{sub}`."""
ALGORITHMS: Final = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"),
)
"""What a provider may sign with: with a key that only it has."""


def _named(name: str) -> str:
    composed = nfc(name)
    if not (composed.strip() and composed.isprintable()):
        raise ValueError("give printable characters")
    if ("{" in composed or "}" in composed) and PLACEHOLDER.fullmatch(composed) is None:
        raise ValueError(f"{name!r}: a claim's value stands at the end, once, as in person-{{sub}}")
    if composed.startswith("{"):
        raise ValueError(f"{name!r}: something must stand before the claim's value, as in person-{{sub}}")
    return composed


def _whole(namespaces: tuple[str, ...]) -> tuple[str, ...]:
    if ANY in namespaces and len(namespaces) > 1:
        raise ValueError("'*' is all namespaces; leave the others out")
    return tuple(dict.fromkeys(namespaces))


def _usable(scopes: tuple[Scope, ...]) -> tuple[Scope, ...]:
    if Scope.READ not in scopes and Scope.ADMIN not in scopes:
        raise ValueError("who may write must be able to read: add 'read'")
    return tuple(dict.fromkeys(scopes))


class Grant(BaseModel):
    """What one value of a claim allows."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    claim: Annotated[str, Field(min_length=1, max_length=200)]
    """Its name, or the path to it through objects, `realm_access.roles`."""
    value: Annotated[str, Field(min_length=1, max_length=200)]
    """The claim, one element of it where it is a list, or one word where it is `scope` or `scp`; `*` is any."""
    scopes: Annotated[tuple[Scope, ...], Field(min_length=1), AfterValidator(_usable)]
    namespaces: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=MAX_NAMESPACE), AfterValidator(_named)], ...],
        Field(min_length=1, max_length=MAX_NAMESPACES),
        AfterValidator(_whole),
    ]


def _apart(grants: tuple[Grant, ...]) -> tuple[Grant, ...]:
    """Refuse grants by which a claim's value would open what was meant for others."""
    names = {namespace for grant in grants for namespace in grant.namespaces}
    fills = {found["before"]: name for name in names if (found := PLACEHOLDER.fullmatch(name))}
    for before, pattern in sorted(fills.items()):
        for name in sorted(names - {pattern}):
            if name.startswith(before):
                raise ValueError(
                    f"the value of a claim could make {name!r} of {pattern!r}; begin one of them otherwise"
                )
    return grants


def _issuer(given: str) -> str:
    issuer = given.strip()
    http_url(issuer)
    if not (is_encrypted(issuer) or is_loopback(issuer)):
        raise ValueError("an identity provider is asked over https alone")
    return issuer


def _algorithms(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if name not in ALGORITHMS:
            raise ValueError(f"{name!r} is not accepted; choose from {', '.join(ALGORITHMS)}")
    if not names:
        raise ValueError("name at least one algorithm")
    return names


def _with_grants(issuer: str | None, settings: ValidationInfo) -> str | None:
    """Check the last of the provider's settings with those before it."""
    if issuer is not None and not settings.data.get("oidc_grants"):
        raise ValueError("without MCP_MEMORY_OIDC_GRANTS nobody may do anything; say which claims grant what")
    return issuer


class HttpSettings(BaseSettings):
    """A part of `settings.Settings`."""

    tokens_path: FilePath = Field(
        default_factory=lambda: user_config_path("memory-mcp") / "tokens.json",
        json_schema_extra={"default": "`tokens.json` in the configuration folder"},
        description="The file with the digests of the HTTP clients' tokens; with PostgreSQL they are in the database.",
    )
    http_allowed_hosts: Names = Field(
        (), description="Host names, besides the address, that HTTP clients may use for this server; comma-separated."
    )
    http_allowed_origins: Names = Field(
        (), description="Origins of web pages that may call over HTTP, `https://name`; comma-separated."
    )
    http_public_url: Annotated[str, AfterValidator(http_url)] | None = Field(
        None,
        description="The URL by which clients reach this server, without `/mcp`; needed behind a proxy or a name.",
    )
    http_max_body_bytes: int = Field(
        36 * 1024 * 1024,
        ge=1024,
        le=256 * 1024 * 1024,
        json_schema_extra={"unit": "bytes"},
        description="Maximum size of an HTTP request's body.",
    )
    http_drain_s: float = Field(
        0.0,
        ge=0,
        le=300,
        description="Seconds that a server still serves once it is told to end; /readyz then says 503.",
    )
    oidc_grants: Annotated[tuple[Grant, ...], Field(max_length=MAX_GRANTS), AfterValidator(_apart)] = Field(
        (),
        json_schema_extra={"default": "none"},
        description="What claims of the identity provider's tokens allow: `[[oidc_grants]]` in the file, or JSON.",
    )
    oidc_algorithms: Annotated[Names, AfterValidator(_algorithms)] = Field(
        ("RS256", "ES256"), description="What the identity provider's tokens may be signed with; comma-separated."
    )
    oidc_audience: str | None = Field(
        None,
        min_length=1,
        description="What the identity provider's tokens must be meant for; by default this server's URL with `/mcp`.",
    )
    oidc_issuer: Annotated[str, AfterValidator(_issuer), AfterValidator(_with_grants)] | None = Field(
        None, description="The identity provider whose tokens are accepted over HTTP, as its tokens name it (`iss`)."
    )
    audit_enabled: bool = Field(
        default=True, description="Write down in the store who did what over HTTP, without contents and queries."
    )
    audit_days: int = Field(
        90,
        ge=1,
        le=3650,
        json_schema_extra={"unit": "days"},
        description="How long a line of the audit is kept, in days.",
    )
