"""The types of the settings' values: what is accepted, and how it is shown."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from embedder_api.v1.address import SCHEME, is_loopback, is_network, network_place, socket_path
from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, SecretStr, ValidationInfo
from pydantic_settings import NoDecode

from memory_common.tracing import collector
from memory_mcp.domain.models import MAX_NAMESPACE
from memory_mcp.domain.names import nfc
from memory_mcp.domain.paths import followed
from memory_mcp.domain.urls import postgres_url, redis_url, without_password
from memory_mcp.environment import expanded


def _valid_address(address: str) -> str:
    if address.startswith(SCHEME):
        address = f"{SCHEME}{expanded(address.removeprefix(SCHEME))}"
    if is_network(address):
        network_place(address)
    else:
        socket_path(address)
    return address


def _composed(name: object) -> object:
    return nfc(name) if isinstance(name, str) else name


def _listed(names: object) -> object:
    """Accept comma-separated names."""
    return [name.strip() for name in names.split(",") if name.strip()] if isinstance(names, str) else names


def _absolute(named: object) -> object:
    return expanded(named) if isinstance(named, str) else named


def _file(named: object, field: ValidationInfo) -> object:
    if isinstance(named, str) and named.endswith("/"):
        example = "tokens.json" if field.field_name == "tokens_path" else "memory.db"
        raise ValueError(f"{named!r} is a folder; name a file in it, such as {named}{example}")
    return named


def _program(named: object) -> object:
    """Keep the name of a command on the PATH; make a path absolute (a relative one is fine, as it is used at once)."""
    if not isinstance(named, str) or "/" not in named:
        return named
    return expanded(named) if named.startswith(("/", "~", "$", "%")) else Path(named).absolute()


def _whole_tls(ca: Path | None, settings: ValidationInfo) -> Path | None:
    """Check the last of the settings of TLS with those before it."""
    given = [settings.data.get("embedder_tls_cert"), settings.data.get("embedder_tls_key"), ca]
    address = settings.data.get("embedder_address", "")
    if any(given) and not all(given):
        raise ValueError("it belongs together with MCP_MEMORY_EMBEDDER_TLS_CERT and _KEY; set all three, or none")
    if not any(given) and is_network(address) and not is_loopback(network_place(address)[0]):
        raise ValueError(f"the daemons of {address} want TLS: set this, MCP_MEMORY_EMBEDDER_TLS_CERT and _KEY")
    return ca


DaemonAddress = Annotated[str, AfterValidator(_valid_address)]
CollectorUrl = Annotated[str, AfterValidator(collector)]
NamespaceName = Annotated[str, Field(min_length=1, max_length=MAX_NAMESPACE), BeforeValidator(_composed)]
FolderPath = Annotated[Path, BeforeValidator(_absolute)]
FilePath = Annotated[FolderPath, BeforeValidator(_file), AfterValidator(followed), Field(validate_default=True)]
"""A file; links are resolved."""
AuthorityPath = Annotated[FolderPath | None, AfterValidator(_whole_tls)]
"""Links are followed at each look: certificates are renewed by replacing a link."""
ProgramPath = Annotated[Path, BeforeValidator(_program)]
PerMinute = Annotated[int, Field(ge=1, le=1_000_000, json_schema_extra={"unit": "a minute"})]
Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed)]
FolderPaths = Annotated[tuple[FolderPath, ...], NoDecode, BeforeValidator(_listed)]
Seconds = Annotated[float, Field(gt=0, le=3600, json_schema_extra={"unit": "seconds"})]
Ratio = Annotated[float, Field(gt=0, le=1, json_schema_extra={"unit": "share"})]
Sections = Annotated[Mapping[str, object], PlainSerializer(list)]
"""Checked where they are used; shown by name, as they may hold secrets."""
Calls = Annotated[int, Field(ge=1, le=1000, json_schema_extra={"unit": "calls"})]
PostgresUrl = Annotated[str, AfterValidator(postgres_url), PlainSerializer(without_password, when_used="unless-none")]
"""Shown without its password."""
RedisUrl = Annotated[SecretStr, AfterValidator(lambda given: SecretStr(redis_url(given.get_secret_value())))]
