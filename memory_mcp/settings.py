"""Every setting of the front, made once: defaults < TOML file < environment < command line.

Nothing else reads the environment. The TOML file is `config.toml` in the system's configuration folder, or the
one that `MCP_MEMORY_CONFIG` names.
"""

from __future__ import annotations

import difflib
import os
from pathlib import Path
from typing import Annotated, Literal

from embedder_api.v1.address import default_address, socket_path
from platformdirs import user_config_path, user_data_path
from pydantic import AfterValidator, AliasChoices, BeforeValidator, Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from memory_mcp.domain.errors import SettingsError
from memory_mcp.domain.models import MAX_NAMESPACE

PREFIX = "MCP_MEMORY_"
CONFIG_VARIABLE = "MCP_MEMORY_CONFIG"


def config_file() -> Path:
    """Return the TOML file that is read; the default one need not exist.

    Raises:
        SettingsError: the variable names a file that is not there.
    """
    if not (named := os.environ.get(CONFIG_VARIABLE)):
        return user_config_path("memory-mcp") / "config.toml"
    if not (path := Path(named).expanduser()).is_file():
        raise SettingsError(f"{CONFIG_VARIABLE}: there is no file {path}")
    return path


def _valid_address(address: str) -> str:
    socket_path(address)
    return address


def _listed(names: object) -> object:
    """Accept names that are separated by commas."""
    return [name.strip() for name in names.split(",") if name.strip()] if isinstance(names, str) else names


UserPath = Annotated[Path, AfterValidator(Path.expanduser)]  # clients start us without a shell that would do it
PerMinute = Annotated[int, Field(ge=1, le=1_000_000)]
Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed)]
Seconds = Annotated[float, Field(gt=0, le=3600)]


class Settings(BaseSettings):
    """The front's settings; each field's name with the prefix MCP_MEMORY_ is its environment variable."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid", allow_inf_nan=False)

    storage_backend: Literal["sqlite_vec"] = Field("sqlite_vec", description="The store of record.")
    sqlite_path: UserPath = Field(
        default_factory=lambda: user_data_path("memory-mcp") / "memory.db", description="The database file."
    )
    read_only: bool = Field(
        default=False, description="Offer and do nothing that writes; the chores are left to others."
    )
    chatgpt_tools_enabled: bool = Field(
        default=False, description="Offer `search` and `fetch` as well, which ChatGPT's connectors look for."
    )
    backup_enabled: bool = Field(default=True, description="Back the store up every day that something was written.")
    backup_folder: UserPath | None = Field(
        None, description="Where backups go; the folder `backups` beside the database file where it is not set."
    )
    namespace: str = Field(
        "default", min_length=1, max_length=MAX_NAMESPACE, description="The namespace of calls that name none."
    )
    embedder_address: Annotated[str, AfterValidator(_valid_address)] = Field(
        default_factory=default_address, description="Where the daemon listens, `unix:/path`."
    )
    embed_budget_s: Seconds = Field(
        1.0, description="Seconds that one store or search may wait for its vectors before it goes on without."
    )
    bulk_budget_s: Seconds = Field(20.0, description="Seconds that one batch of a bulk store or of the queue may take.")
    breaker_window: int = Field(10, ge=1, le=1000, description="Latest calls that the breaker judges.")
    breaker_min_calls: int = Field(3, ge=1, le=1000, description="Calls in the window before the breaker may open.")
    breaker_error_rate: float = Field(0.5, gt=0, le=1, description="Share of failed calls that opens the breaker.")
    breaker_slow_rate: float = Field(0.5, gt=0, le=1, description="Share of slow calls that opens the breaker.")
    breaker_slow_share: float = Field(
        0.8, gt=0, le=1, description="A call is slow when it takes more than this share of its budget."
    )
    breaker_open_s: Seconds = Field(
        5.0, description="Seconds that the breaker stays open before it lets a probe through."
    )
    response_cache_enabled: bool = Field(
        default=True, description="Answer a repeated read from memory until something is written."
    )
    rate_limit_enabled: bool | None = Field(
        None, description="Limit what each caller asks for; where it is not set, on for HTTP and off on stdio."
    )
    rate_limit_read: PerMinute = Field(600, description="Reads of one caller in any minute.")
    rate_limit_write: PerMinute = Field(300, description="Writes of one caller in any minute.")
    rate_limit_bulk: PerMinute = Field(30, description="Bulk writes of one caller in any minute.")
    tokens_path: UserPath = Field(
        default_factory=lambda: user_config_path("memory-mcp") / "tokens.json",
        description="The file with the digests of the HTTP clients' tokens.",
    )
    http_allowed_hosts: Names = Field(
        (), description="Names that HTTP clients may call this server by, beside the address; separated by commas."
    )
    http_allowed_origins: Names = Field(
        (), description="Web pages' origins that may call over HTTP, `https://name`; separated by commas."
    )
    http_max_body_bytes: int = Field(
        16 * 1024 * 1024, ge=1024, le=256 * 1024 * 1024, description="Bytes of one HTTP request's body."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="The least level logged.")
    log_format: Literal["auto", "console", "json"] = Field(
        "auto", description="How log lines look on stderr; auto is readable on a terminal and JSON elsewhere."
    )

    # What `daemon install` builds; read from the names that users know, without or with our prefix.
    embedder_python: UserPath | None = Field(
        None,
        validation_alias=AliasChoices("EMBEDDER_PYTHON", "embedder_python"),
        description="The interpreter that the daemon's environment is built on.",
    )
    use_homebrew_pytorch: bool | None = Field(
        None, description="True demands Homebrew's PyTorch, false forbids it, unset takes it where there is one."
    )

    use_onnx: bool = Field(
        default=False, description="True puts onnxruntime, and onnx to convert with, into the daemon's environment."
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order the sources, strongest first; `.env` files and secret folders are not read."""
        del dotenv_settings, file_secret_settings
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, toml_file=config_file())


def load(**overrides: object) -> Settings:
    """Make the settings; `overrides` come from the command line.

    Raises:
        SettingsError: a value that does not fit, named with its variable, or an unreadable TOML file.
    """
    given = {name: value for name, value in overrides.items() if value is not None}
    file = config_file()
    try:
        return Settings(**given)  # type: ignore[arg-type]  # pydantic checks them
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            raise SettingsError(f"{file}: {name} is no setting{_nearest(name)}") from error
        variable = name if name.isupper() else f"{PREFIX}{name.upper()}"
        raise SettingsError(f"{variable}: {first['msg']}; mend it in the environment or in {file}") from error
    except (OSError, ValueError) as error:
        raise SettingsError(f"{file} cannot be read ({error}); mend it, or move it away") from error


def _nearest(name: str) -> str:
    near = difflib.get_close_matches(name.lower(), Settings.model_fields, n=1)
    return f", did you mean {near[0]}?" if near else ""


def unknown_variables() -> list[str]:
    """Return one sentence for each MCP_MEMORY_ variable that is no setting."""
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields} | {CONFIG_VARIABLE}
    strangers = sorted(name for name in os.environ if name.startswith(PREFIX) and name.upper() not in known)
    return [f"{name} is no setting{_nearest(name.removeprefix(PREFIX))}" for name in strangers]


_FOLDERS = frozenset({"XDG_CONFIG_HOME", "XDG_CACHE_HOME", "HF_HOME", "HF_HUB_CACHE"})
"""Where the daemon finds its settings file, its cache and downloaded models: a service knows none of them by itself."""


def daemon_environment() -> dict[str, str]:
    """Return the daemon's own settings in our environment, for the service that is to start it with them."""
    ours = {"EMBEDDER_PYTHON", "EMBEDDER_ADDRESS", "EMBEDDER_LOG_FILE"}
    names = {name for name in os.environ if name.startswith("EMBEDDER_") and name not in ours}
    return {name: os.environ[name] for name in sorted(names | _FOLDERS & os.environ.keys()) if os.environ[name]}
