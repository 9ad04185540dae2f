"""The daemon's settings: defaults < TOML file < environment < command line. No other module reads the environment."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Final, Literal, NamedTuple

from embedder_api.v1.address import default_address, is_loopback
from embedder_api.v1.contract import MAX_TEXTS
from platformdirs import user_config_path
from pydantic import AfterValidator, Field, ValidationError, ValidationInfo
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)
from pydantic_settings import SettingsError as SourceError

from embedder_daemon.errors import DaemonSettingsError
from memory_common import engines, plugins
from memory_common.described import Described, describe, nearest
from memory_common.pins import BUNDLED_MODEL, MULTILINGUAL
from memory_common.settings_base import SettingsFileError, TomlFile, unknown_names
from memory_common.tracing import COLLECTOR_VARIABLE, collector

PREFIX: Final = "EMBEDDER_"
CONFIG_VARIABLE: Final = "EMBEDDER_CONFIG"
ENGINE_GROUP: Final = "embedder_daemon.engines"
"""The entry-point group of packages that add engines."""
_FOREIGN: Final = frozenset(
    {CONFIG_VARIABLE, "EMBEDDER_PYTHON"}
)  # known, but not fields: a path, and a variable of make setup


def _metrics_place(address: str, info: ValidationInfo) -> str:
    """Check that the address is a port on the loopback, or any if others may read it; empty means none."""
    host, _, port = address.rpartition(":")
    may_be_there = is_loopback(host.strip("[]")) or (host and info.data.get("metrics_public"))
    if not address or (may_be_there and port.isdecimal() and int(port) < 65536):
        return address
    raise ValueError(
        "give a port on the loopback, such as 127.0.0.1:9464, or set EMBEDDER_METRICS_PUBLIC=1 as well, so that other "
        "machines may read the metrics"
    )


def _from_here(model: str) -> str:
    """Make a folder's path absolute, because the daemon changes its working folder."""
    path = Path(model).expanduser()
    try:
        return str(path.absolute()) if model not in {BUNDLED_MODEL, MULTILINGUAL} and path.is_dir() else model
    except OSError:  # the working folder is unreadable, so this cannot be a folder in it
        return model


def _known_engine(name: str) -> str:
    return plugins.checked(ENGINE_GROUP, engines.NAMES, name)


def _absolute(path: Path | None) -> Path | None:
    """Make a path absolute, because the daemon changes its working folder."""
    return path and path.expanduser().absolute()


TlsPath = Annotated[Path | None, AfterValidator(_absolute)]


class DaemonSettings(BaseSettings):
    """Turns texts into vectors for every assistant on this machine."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        frozen=True,
        extra="forbid",
        env_ignore_empty=True,
        cli_prog_name="embedder-daemon",
        cli_kebab_case=True,
        cli_implicit_flags=True,
        cli_avoid_json=True,
        cli_exit_on_error=False,
        allow_inf_nan=False,
    )

    address: str = Field(
        default_factory=default_address,
        description="The address to listen on: unix: and an absolute path, or HOST:PORT for clients on a network.",
        min_length=1,
        json_schema_extra={"default": "`unix:` and `embedder.sock` in the data folder"},
    )
    tls_cert: TlsPath = Field(
        default=None, description="The daemon's certificate with its chain (PEM), for clients on a network."
    )
    tls_key: TlsPath = Field(default=None, description="The key of the certificate (PEM).")
    tls_client_ca: TlsPath = Field(
        default=None, description="The authority that signs the certificates of clients (PEM)."
    )
    tls_allowed_names: str = Field(
        default="",
        description="Names that may call, of which a client's certificate has one; comma-separated.",
    )
    insecure_loopback: bool = Field(
        default=False, description="Listen on a port of the loopback without TLS: every user of the machine may call."
    )
    max_connection_age_s: float = Field(
        default=60.0,
        ge=1.0,
        json_schema_extra={"unit": "seconds"},
        description="Seconds after which a network's client connects anew, and so finds new daemons and certificates.",
    )
    model: Annotated[str, AfterValidator(_from_here)] = Field(
        default=BUNDLED_MODEL,
        description=f"The bundled model ({BUNDLED_MODEL}), the one for other languages than English ({MULTILINGUAL}) "
        "if `daemon install` brought it, or a sentence-transformers model: its folder, or its hub id (owner/name) if "
        "it was downloaded.",
        min_length=1,
    )
    dimensions: int = Field(
        default=0,
        ge=0,
        le=65_536,
        json_schema_extra={"unit": "dimensions"},
        description="Dimensions to truncate vectors to, one of those that the model declares; 0 is the model's own.",
    )
    query_prompt: str | None = Field(
        default=None,
        description="Prefix of every query; by default the one in the model's files, else the one that its "
        "family is known to need (e5, bge, arctic-embed …). Empty, in the file or on the command line, means none.",
    )
    document_prompt: str | None = Field(
        default=None,
        description="Prefix of every stored text; otherwise like query_prompt.",
    )
    engine: Annotated[str, AfterValidator(_known_engine)] = Field(
        default=engines.AUTO,
        description=f"What computes the vectors: {', '.join(engines.MODEL_ENGINES)}, or one that an installed package "
        "adds; auto is the fastest of ours as measured on this machine, hash is for tests only.",
    )
    device: Literal["auto", "cpu", "mps", "cuda"] = Field(
        default="auto", description="The device that runs the model; auto is cuda if there is one, else cpu."
    )
    precision: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        default="auto",
        description="Number format of the computation; auto is the fastest measured here, float16 needs a GPU.",
    )
    threads: int = Field(
        default=0,
        ge=0,
        le=1024,
        json_schema_extra={"unit": "threads"},
        description="CPU threads of the forward pass; 0 is one per processor that affinity and quotas allow.",
    )
    max_queued_texts: int = Field(
        default=4096,
        ge=MAX_TEXTS,
        le=1_000_000,
        json_schema_extra={"unit": "texts"},
        description="Maximum number of admitted texts; further calls are refused with a retry-after.",
    )
    cache_mb: int = Field(
        default=64,
        ge=0,
        le=65_536,
        json_schema_extra={"unit": "MiB"},
        description="Memory for the cache of recent vectors, in MiB.",
    )
    idle_unload_s: float = Field(
        default=1800.0,
        ge=0.0,
        json_schema_extra={"unit": "seconds"},
        description="Seconds without a call after which the weights are unloaded; 0 is never.",
    )
    watchdog_s: float = Field(
        default=60.0,
        gt=0.0,
        json_schema_extra={"unit": "seconds"},
        description="Seconds without progress after which the process exits, to be restarted.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The lowest level that is logged."
    )
    log_format: Literal["auto", "json", "console"] = Field(
        default="auto", description="Format of log lines; auto is console on a terminal, else JSON."
    )
    log_file: Path | None = Field(
        default=None,
        description="Log to this file instead of stderr; it is rotated at 10 MB, and 4 old files are kept.",
    )
    log_content: bool = Field(
        default=False, description="Show texts in debug lines, and exceptions' messages in tracebacks."
    )
    otel_endpoint: Annotated[str, AfterValidator(collector)] = Field(
        default_factory=lambda: os.environ.get(COLLECTOR_VARIABLE, ""),
        json_schema_extra={"default": f"that of `{COLLECTOR_VARIABLE}`"},
        description="The OpenTelemetry collector to send traces to, over HTTP; empty means none.",
    )
    metrics_public: bool = Field(
        default=False, description="Let other machines read the metrics, without encryption: the network of a cluster."
    )
    metrics_address: Annotated[str, AfterValidator(_metrics_place)] = Field(
        default="",
        description="Serve Prometheus metrics, /livez and /readyz on HOST:PORT of the loopback; empty means off.",
    )
    supervised: bool = Field(
        default=False, description="Wait for a running daemon's lock and take over; for launchd and systemd."
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - part of the library's signature
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - part of the library's signature
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Rank the TOML file below the environment; the library puts the command line on top."""
        return init_settings, env_settings, TomlFile(settings_cls, toml_file=toml_file())


def toml_file() -> Path:
    """Return the path of the settings file; the default one need not exist.

    Raises:
        DaemonSettingsError: the variable names a missing file.
    """
    if named := os.environ.get(CONFIG_VARIABLE):
        try:
            path = Path(named).expanduser()
        except RuntimeError as error:  # ~nobody
            raise DaemonSettingsError(
                f"{CONFIG_VARIABLE}: there is no home folder for {named}; give an absolute path"
            ) from error
        if not path.is_file():
            raise DaemonSettingsError(f"{CONFIG_VARIABLE}: there is no file {path}; name an existing file, or unset it")
        return path
    return user_config_path("memory-mcp") / "embedder.toml"


def load(arguments: Sequence[str]) -> DaemonSettings:
    """Read the settings from every source; `arguments` is the command line without the program's name.

    Raises:
        DaemonSettingsError: a source is unreadable, or a value is invalid; the message names the setting.
    """
    try:
        return DaemonSettings(_cli_parse_args=list(arguments))  # type: ignore[call-arg]  # the library's own argument
    except ValidationError as error:
        raise DaemonSettingsError("; ".join(_faults(error))) from error
    except SettingsFileError as error:
        raise DaemonSettingsError(str(error)) from error
    except (SourceError, OSError) as error:
        raise DaemonSettingsError(
            " ".join(str(error).split()) + " (embedder-daemon --help lists the settings)"
        ) from error


def _faults(error: ValidationError) -> list[str]:
    """Return one phrase per invalid setting."""
    return [
        f"{'.'.join(map(str, fault['loc']))}: {fault['msg'].removeprefix('Value error, ')} (got {fault['input']!r})"
        + (_nearest(str(fault["loc"][0])) if fault["type"] == "extra_forbidden" else "")
        for fault in error.errors(include_url=False)
    ]


def _nearest(name: str) -> str:
    """Return a hint at the setting with the nearest name; empty if none is near."""
    return nearest(name, DaemonSettings.model_fields)


def unknown_variables() -> list[str]:
    """Return one sentence for each EMBEDDER_ variable that is not a setting."""
    known = {PREFIX + name.upper() for name in DaemonSettings.model_fields} | _FOREIGN
    return unknown_names(os.environ, PREFIX, known, DaemonSettings.model_fields, lambda near: PREFIX + near.upper())


def described() -> list[Described]:
    """Return every setting of a daemon started in this environment without arguments, and the source of each value.

    Raises:
        DaemonSettingsError: as `load`.
    """
    made = load([])  # first, because its errors say what is wrong with the file
    file = TomlFile(DaemonSettings, toml_file=toml_file())
    return describe(made, {"environment": EnvSettingsSource(DaemonSettings), "file": file})


_FOLDERS: Final = ("HF_HOME", "HF_HUB_CACHE", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME")
"""Variables of libraries that name folders, perhaps relative to the working folder."""


def leave_working_folder() -> None:
    """Change to /, as the folder that we were started in may be unmounted or deleted."""
    for name in _FOLDERS:
        if (named := os.environ.get(name)) and not named.startswith("~"):
            with suppress(FileNotFoundError):  # the working folder is gone, so a relative path means nothing
                os.environ[name] = str(Path(named).absolute())
    os.chdir("/")


class Supervisor(NamedTuple):
    """What systemd requests, see sd_notify(3) and sd_watchdog_enabled(3)."""

    notify: str
    """The socket for status messages; empty if there is none."""
    watchdog_s: float
    """Seconds within which it expects a keep-alive; 0 is never."""


def supervisor() -> Supervisor:
    """Return the supervisor's requests from the environment."""
    ours = os.environ.get("WATCHDOG_PID") in {None, "", str(os.getpid())}
    microseconds = os.environ.get("WATCHDOG_USEC", "") if ours else ""
    return Supervisor(os.environ.get("NOTIFY_SOCKET", ""), int(microseconds) / 1e6 if microseconds.isdecimal() else 0.0)
