"""The front's settings, read once: defaults < TOML file < environment < command line.

The environment is read here and in `environment`, nowhere else. The TOML file is `config.toml` in the system's
configuration folder, or the one that `MCP_MEMORY_CONFIG` names.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal

from embedder_api.v1.address import default_address, is_network
from platformdirs import user_config_path, user_data_path
from pydantic import AfterValidator, AliasChoices, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)
from pydantic_settings import SettingsError as SettingsSourceError

from memory_common import plugins
from memory_common.described import Described, describe, nearest, variable
from memory_common.settings_base import SettingsFileError, TomlFile, unknown_names
from memory_common.tls_files import TlsFiles
from memory_common.utf8 import NOT_UTF8, is_text
from memory_mcp.domain.errors import SettingsError
from memory_mcp.domain.models import Condition, Finding
from memory_mcp.domain.urls import http_url
from memory_mcp.environment import HOP_VARIABLE, named_by, standard_collector
from memory_mcp.http_settings import HttpSettings
from memory_mcp.setting_types import (
    AuthorityPath,
    Calls,
    CollectorUrl,
    DaemonAddress,
    FilePath,
    FolderPath,
    FolderPaths,
    NamespaceName,
    PerMinute,
    PostgresUrl,
    ProgramPath,
    Ratio,
    RedisUrl,
    Seconds,
    Sections,
)

PREFIX = "MCP_MEMORY_"
CONFIG_VARIABLE = "MCP_MEMORY_CONFIG"
SQLITE: Final = "sqlite_vec"  # the store in the file `sqlite_path`
POSTGRES: Final = "postgres"
STORES: Final[Mapping[str, str]] = {
    SQLITE: "memory_mcp.storage.sqlite.store:from_settings",
    POSTGRES: "memory_mcp.storage.postgres.store:from_settings",
}
"""Our own stores: what makes each, `module:function`, is imported only where it is chosen."""
STORE_GROUP: Final = "memory_mcp.stores"
"""The entry-point group of packages that add stores."""


def _without_empty_home() -> None:
    """Treat an empty HOME as unset: it would otherwise mean `/`."""
    if not os.environ.get("HOME"):
        os.environ.pop("HOME", None)


def config_file() -> Path:
    """Return the path of the TOML file; the default one need not exist.

    Raises:
        SettingsError: the variable names a missing file or a path that is not absolute.
    """
    _without_empty_home()
    if not os.environ.get(CONFIG_VARIABLE):
        return user_config_path("memory-mcp") / "config.toml"
    if not (path := named_by(CONFIG_VARIABLE)).is_file():
        raise SettingsError(f"{CONFIG_VARIABLE}: there is no file {path}; name an existing file, or unset it")
    return path


def _known_store(name: str) -> str:
    return plugins.checked(STORE_GROUP, STORES, name)


class Settings(HttpSettings):
    """The front's settings; each field's name with the prefix MCP_MEMORY_ is its environment variable."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid", allow_inf_nan=False)

    storage_backend: Annotated[str, AfterValidator(_known_store)] = Field(
        "sqlite_vec", description="The store of record: sqlite_vec, postgres, or one that an installed package adds."
    )
    sqlite_path: FilePath = Field(
        default_factory=lambda: user_data_path("memory-mcp") / "memory.db",
        json_schema_extra={"default": "`memory.db` in the data folder"},
        description="The database file.",
    )
    encryption_key: SecretStr | None = Field(
        None, description="The key of an encrypted store: 64 hexadecimal digits; older ones behind it."
    )
    encryption_key_file: FolderPath | None = Field(None, description="The file that holds the key instead.")
    encryption_keychain_enabled: bool = Field(
        default=True, description="Look for the key in the system's keychain where neither of these is set."
    )
    postgres_url: PostgresUrl | None = Field(
        None, repr=False, description="The database of the store `postgres`, `postgresql://user:password@host/name`."
    )
    postgres_direct_url: PostgresUrl | None = Field(
        None,
        repr=False,
        description="The same database without the pooler that `postgres_url` names, for notifications and backups.",
    )
    read_only: bool = Field(
        default=False,
        description="Offer nothing that writes, and change no file of the store; other processes do the chores.",
    )
    chatgpt_tools_enabled: bool = Field(
        default=False, description="Also offer the tools `search` and `fetch`, which ChatGPT's connectors need."
    )
    backup_enabled: bool = Field(default=True, description="Back up the store on every day with writes.")
    backup_folder: FolderPath | None = Field(
        None, description="The folder for backups; by default `backups` next to the database file."
    )
    documents_enabled: bool = Field(
        default=True, description="Offer `memory_ingest` and run the jobs that read files; off: no file is read."
    )
    ingest_roots: FolderPaths = Field(
        (), description="Folders that MCP clients may have read, besides their own roots; comma-separated."
    )
    ingest_watch: bool = Field(default=False, description="Let MCP clients have folders watched for good.")
    ingest_unsandboxed: bool = Field(
        default=False,
        description="Read documents even where the system offers no sandbox: a hostile file can then do what you can.",
    )
    sources_enabled: bool = Field(default=True, description="Ask the sources of context; off: none is asked.")
    sources: Sections = Field(
        default_factory=dict,
        repr=False,
        json_schema_extra={"default": "none"},
        description="The sources of context, `[sources.NAME]` in the file.",
    )
    context_enabled: bool = Field(default=True, description="Offer `memory_context`.")
    changes_days: int = Field(30, ge=1, le=3650, description="How long the change log keeps an entry, in days.")
    namespace: NamespaceName = Field(
        "default", description="The namespace of calls that do not name one; `auto` is the project's."
    )
    hook_start_chars: int = Field(4_000, ge=200, le=9_500, description="Most characters of `hook session-start`.")
    hook_prompt_chars: int = Field(2_000, ge=200, le=9_500, description="Most characters of `hook prompt-submit`.")
    hook_start_ms: int = Field(1_000, ge=50, le=60_000, description="When `hook session-start` gives up, in ms.")
    hook_prompt_ms: int = Field(250, ge=50, le=60_000, description="When `hook prompt-submit` gives up, in ms.")
    hook_sources: bool = Field(
        default=False,
        description="Let hooks show documents too, and `hook session-start` context sources, which takes it longer.",
    )
    llm_url: Annotated[str, AfterValidator(http_url)] = Field(
        "http://127.0.0.1:11434",
        description="The server whose model answers `memory-mcp ask`; the default is Ollama's.",
    )
    llm_model: str | None = Field(None, min_length=1, description="The model that answers `memory-mcp ask`.")
    embedder_address: DaemonAddress = Field(
        default_factory=default_address,
        validate_default=False,  # the name of a home folder may look like a variable
        json_schema_extra={"default": "`unix:` and `embedder.sock` in the data folder"},
        description="The daemon's address, `unix:/path`, or that of daemons on a network, `dns:///host:port`.",
    )
    embedder_tls_cert: FolderPath | None = Field(
        None, description="Our certificate (PEM) for daemons on a network, in which they find a name that may call."
    )
    embedder_tls_key: FolderPath | None = Field(None, description="The key of the certificate (PEM).")
    embedder_tls_ca: AuthorityPath = Field(
        None, validate_default=True, description="The authority that signs the daemons' certificate (PEM)."
    )
    embed_budget_s: Seconds = Field(
        1.0, description="Seconds that a store or search waits for vectors before it continues without them."
    )
    bulk_budget_s: Seconds = Field(20.0, description="Seconds that a batch of a bulk store or of the queue may take.")
    breaker_window: Calls = Field(10, description="Number of latest calls that the circuit breaker judges.")
    breaker_min_calls: Calls = Field(3, description="Least number of calls in the window for the breaker to open.")
    breaker_error_rate: Ratio = Field(0.5, description="Share of failed calls that opens the breaker.")
    breaker_slow_rate: Ratio = Field(0.5, description="Share of slow calls that opens the breaker.")
    breaker_slow_share: Ratio = Field(
        0.8, description="A call is slow when it takes more than this share of its budget."
    )
    breaker_open_s: Seconds = Field(
        5.0, description="Seconds that the breaker stays open before it lets a probe through."
    )
    response_cache_enabled: bool = Field(
        default=True, description="Answer a repeated read from a cache until something is written."
    )
    rate_limit_enabled: bool | None = Field(
        None, description="Limit each caller's rate of calls; by default on over HTTP and off on stdio."
    )
    rate_limit_read: PerMinute = Field(600, description="Reads per caller and minute.")
    rate_limit_write: PerMinute = Field(300, description="Writes per caller and minute.")
    rate_limit_bulk: PerMinute = Field(30, description="Bulk writes per caller and minute.")
    redis_url: RedisUrl | None = Field(
        None, description="The Redis or Valkey server through which fronts share rate limits and cached answers."
    )
    otel_endpoint: CollectorUrl = Field(
        default_factory=standard_collector,
        json_schema_extra={"default": "that of `OTEL_EXPORTER_OTLP_ENDPOINT`"},
        description="The OpenTelemetry collector that a server sends its traces to, over HTTP; empty: none is made.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The lowest level that is logged."
    )
    log_format: Literal["auto", "console", "json"] = Field(
        "auto", description="Format of log lines on stderr; auto is console on a terminal and JSON elsewhere."
    )
    log_content: bool = Field(
        default=False,
        description="Show stored texts and queries in debug lines, and exceptions' messages in tracebacks.",
    )
    metrics_enabled: bool = Field(
        default=True, description="Serve Prometheus metrics at /metrics over HTTP, for tokens with the scope `admin`."
    )

    web_enabled: bool = Field(
        default=True, description="Serve the page over HTTP, where memories are seen and corrected; off: MCP alone."
    )

    # For `daemon install`; accepted with or without our prefix.
    embedder_python: ProgramPath | None = Field(
        None,
        validation_alias=AliasChoices("EMBEDDER_PYTHON", "embedder_python"),
        description="The interpreter that the daemon's environment is built on.",
    )
    use_homebrew_pytorch: bool | None = Field(
        None,
        description="True requires Homebrew's PyTorch, false forbids it; by default it is used if it is installed.",
    )
    use_onnx: bool = Field(
        default=False, description="Install onnxruntime, and onnx for conversion, into the daemon's environment."
    )

    @property
    def is_copied_elsewhere(self) -> bool:
        """Whether no daily backup is made here: a store of many people's is not copied to each one's machine."""
        return self.storage_backend == POSTGRES and self.backup_folder is None

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order the sources by precedence; `.env` files and secret folders are not read."""
        del dotenv_settings, file_secret_settings
        return init_settings, env_settings, TomlFile(settings_cls, toml_file=config_file())


_chosen: dict[str, object] = {}
"""The values of `memory-mcp --set`."""


def choose(values: Mapping[str, object]) -> None:
    """Let these values from the command line override all others from now on.

    Raises:
        SettingsError: a name is not a setting.
    """
    short = {name.removeprefix(PREFIX).lower() if name.startswith(PREFIX) else name: values[name] for name in values}
    for name in short.keys() - Settings.model_fields.keys():
        raise SettingsError(f"--set: {name} is not a setting{_nearest(name)}")
    _chosen.clear()
    _chosen.update(short)


def defaults() -> Settings:
    """Return the default settings, as a substitute for invalid ones."""
    return Settings.model_construct()


def load(**overrides: object) -> Settings:
    """Read the settings; `overrides` come from the command line.

    Raises:
        SettingsError: a value is invalid (the message names its variable), or the TOML file is unreadable.
    """
    return _make(Settings, overrides)


def _make(kind: type[Settings], overrides: Mapping[str, object]) -> Settings:
    # gRPC's notes do not belong in our log; it reads this when it is imported.
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    given = _chosen | {name: value for name, value in overrides.items() if value is not None}
    file = config_file()
    try:
        return _as_text(kind(**given))  # type: ignore[arg-type]  # pydantic checks them
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            raise SettingsError(f"{file}: {name} is not a setting{_nearest(name)}") from error
        shown = name if name.isupper() else f"{PREFIX}{name.upper()}"
        place = "on the command line" if name in given else f"in the environment or in {file}"
        said = NOT_UTF8 if first["type"] == "string_unicode" else first["msg"].removeprefix("Value error, ")
        raise SettingsError(f"{shown}: {said}; fix it {place}") from error
    except SettingsSourceError as error:  # JSON that is none
        raise SettingsError(f"{error}; write JSON, or set it in {file}") from error
    except SettingsFileError as error:
        raise SettingsError(str(error)) from error
    except (OSError, ValueError) as error:
        raise SettingsError(f"{file} cannot be read ({error}); fix it or move it away") from error


def tls_files(made: Settings) -> TlsFiles | None:
    """Return the certificates for daemons on a network; None where there are none, or the daemon is on a socket."""
    cert, key, ca = made.embedder_tls_cert, made.embedder_tls_key, made.embedder_tls_ca
    return TlsFiles(cert, key, ca) if cert and key and ca and is_network(made.embedder_address) else None


def postgres_url(made: Settings) -> str:
    """Return the database of the store `postgres`.

    Raises:
        SettingsError: the settings name none.
    """
    if made.postgres_url is None:
        raise SettingsError(
            "MCP_MEMORY_POSTGRES_URL: the store `postgres` needs a database; name one like "
            "postgresql://user:password@host/database"
        )
    return made.postgres_url


def _as_text(made: Settings) -> Settings:
    """Return the settings if all paths are UTF-8.

    Raises:
        SettingsError: a path is not UTF-8, so neither SQLite nor JSON could contain it.
    """
    for name, value in made:
        if isinstance(value, Path) and not is_text(str(value)):
            raise SettingsError(f"{PREFIX}{name.upper()}: {str(value)!r} {NOT_UTF8}; name another folder or file")
    return made


def _nearest(name: str) -> str:
    return nearest(name, Settings.model_fields)


def described() -> list[Described]:
    """Return every setting and the source of its value; unknown names in the file are ignored.

    Raises:
        SettingsError: as `load`.
    """

    class Tolerant(Settings):  # defined here to save time at every start
        model_config = SettingsConfigDict(extra="ignore")

    made = _make(Tolerant, {})
    sources = {
        "command line": InitSettingsSource(Settings, init_kwargs=_chosen),
        "environment": EnvSettingsSource(Settings),
        "file": TomlFile(Settings, toml_file=config_file()),
    }
    return describe(made, sources)


def unknown_in_file() -> list[str]:
    """Return one sentence for each name in the file that is not a setting."""
    held = TomlFile(Settings, toml_file=config_file())()
    known = {*Settings.model_fields, *(variable(PREFIX, *each) for each in Settings.model_fields.items())}
    return [f"{config_file()}: {name} is not a setting{_nearest(name)}" for name in held if name not in known]


def unknown_variables() -> list[str]:
    """Return one sentence for each MCP_MEMORY_ variable that is not a setting."""
    fields = Settings.model_fields
    known = {f"{PREFIX}{name.upper()}" for name in fields} | {CONFIG_VARIABLE, HOP_VARIABLE}
    return unknown_names(os.environ, PREFIX, known, fields, lambda name: variable(PREFIX, name, fields[name]))


FIX: Final = "fix the value, or unset or rename the unknown setting"


def look(seconds: float) -> Finding:
    """Check that the settings are valid, and report variables that look like settings but are not."""
    del seconds  # nothing here can hang
    try:
        load()
    except SettingsError as error:
        return Finding(Condition.FAILED, "wrong", str(error), FIX)
    if strangers := unknown_variables():
        return Finding(Condition.DEGRADED, "unknown", "; ".join(strangers), FIX)
    file = config_file()
    return Finding(
        Condition.OK, "read", detail=f"{file}{'' if file.is_file() else ' (does not exist)'} and the environment"
    )
