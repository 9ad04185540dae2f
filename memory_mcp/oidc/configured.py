"""The identity provider that the settings name."""

from __future__ import annotations

from memory_mcp.domain.errors import SettingsError
from memory_mcp.domain.ports import Identities
from memory_mcp.settings import Settings


def provider_of(settings: Settings, url: str, namespace: str) -> Identities | None:
    """Return what knows the provider's tokens, if one is configured; it is asked at the first of them.

    Args:
        settings: name it.
        url: by which clients reach this server, for which tokens have to be meant.
        namespace: the default one of callers who may use all.

    Raises:
        SettingsError: what checks its tokens is not installed.
    """
    if settings.oidc_issuer is None:
        return None
    try:
        from memory_mcp.oidc.identities import OidcIdentities, TokenRules  # noqa: PLC0415 - an extra
        from memory_mcp.oidc.keys import ProviderKeys  # noqa: PLC0415 - likewise
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"{error.name} is not installed, which checks the tokens of MCP_MEMORY_OIDC_ISSUER; "
            "pip install 'memory-mcp[oidc]'"
        ) from error
    audience, algorithms = settings.oidc_audience or url, settings.oidc_algorithms
    rules = TokenRules(settings.oidc_issuer, audience, algorithms, settings.oidc_grants, namespace)
    return OidcIdentities(rules, ProviderKeys(settings.oidc_issuer))
