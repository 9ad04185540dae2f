"""`memory-mcp daemon …`: the daemon's environment and its service."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Collection, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Final

import click
from embedder_api.v1.address import is_network, socket_path
from platformdirs import user_cache_path, user_log_path

from memory_common.engines import AUTO, MODEL_ENGINES
from memory_common.pins import BUNDLED_MODEL, MULTILINGUAL
from memory_mcp import settings
from memory_mcp.cli import serving
from memory_mcp.cli.progress import progress as progress_of
from memory_mcp.cli.session import as_json_option
from memory_mcp.cli.streams import print_data
from memory_mcp.domain.models import Condition, Finding
from memory_mcp.environment import daemon_environment
from memory_mcp.provision import installed, models, troubles
from memory_mcp.provision.checks import explained
from memory_mcp.provision.environment import Builder
from memory_mcp.provision.errors import ProvisionError
from memory_mcp.provision.installed import default_place, find_service
from memory_mcp.provision.interpreter import choose
from memory_mcp.provision.process import Runner, SystemRunner, become
from memory_mcp.provision.progress import Lines
from memory_mcp.provision.recipe import Recipe, extras
from memory_mcp.provision.service import Job, Service
from memory_mcp.provision.troubles import Trouble
from memory_mcp.provision.versions import Environment, Versions

ENGINE: Final = "EMBEDDER_ENGINE"
ADDRESS: Final = "EMBEDDER_ADDRESS"
DEGRADED: Final = 3

_venv = click.option(
    "--venv", type=click.Path(path_type=Path), help="The folder of the environment [`daemon` in the data folder]."
)


@click.group()
def daemon() -> None:
    """Install, start, stop and inspect the embedding daemon."""
    address = settings.load().embedder_address
    if is_network(address):
        raise ProvisionError(
            f"MCP_MEMORY_EMBEDDER_ADDRESS points to daemons on a network ({address}), which this command does not "
            "manage; `memory-mcp doctor` checks them"
        )


@daemon.command()
@click.option("--python", metavar="PATH", help="The Python to build the environment with [EMBEDDER_PYTHON].")
@_venv
@click.option("--engine", type=click.Choice([AUTO, *MODEL_ENGINES]), help="The engine that computes the vectors.")
@click.option(
    "--model",
    metavar="NAME|PATH|HUB_ID",
    help=f"The model: {BUNDLED_MODEL}, {MULTILINGUAL} (for texts that are not English), a folder, or "
    "owner/name[@revision].",
)
@click.option("--no-service", is_flag=True, help="Only build the environment; do not start the daemon at login.")
@click.option("--rollback", is_flag=True, help="Go back to the previous environment.")
@click.option(
    "--yes", is_flag=True, help="Do not ask: accept PyTorch with CUDA if the package index has no other build."
)
def install(
    *,
    python: str | None,
    venv: Path | None,
    engine: str | None,
    model: str | None,
    no_service: bool,
    rollback: bool,
    yes: bool,
) -> None:
    """Build the daemon's environment, and start the daemon now and at every login."""
    config = settings.load(embedder_python=python)
    runner, place = SystemRunner(), _place(venv)
    before = Versions(place).current()
    wishes = _choices(engine, model)
    recorded = {*wishes, *(before.choices() if before else ())}
    if rollback:
        click.echo(installed.roll_back(Versions(place)))
    else:
        _build(config, runner, place, wishes, yes=yes)
    if no_service:
        return
    service = find_service(runner)
    if service:
        _register(config, service, place, recorded)
    else:
        click.echo(
            f"neither launchd nor systemd is available here; start the daemon with `{_foreground('start', venv)}`"
        )
    _tell_places(config, place)


def _register(config: settings.Settings, service: Service, place: Path, recorded: Collection[str]) -> None:
    """Register the service; `recorded` names the variables that this command sets anew."""
    environment = installed.require(Versions(place))
    choices = {
        **daemon_environment(),
        **environment.choices(),
        ADDRESS: config.embedder_address,
    }
    kept = {key: value for key, value in service.environment().items() if key not in {*recorded, *choices}}
    if kept:
        listed = ", ".join(f"{key}={value}" for key, value in kept.items())
        click.echo(f"kept from {service.file}: {listed} (`memory-mcp daemon uninstall --keep-environment` forgets it)")
    variables = {**kept, **choices}
    service.install(Job(place / "bin" / "embedder-daemon", variables, user_log_path("memory-mcp")))
    click.echo(f"{service.name} now runs the daemon, and starts it at every login ({service.file})")
    _tell_serving(config.embedder_address, service)


def _build(config: settings.Settings, runner: Runner, place: Path, wishes: Mapping[str, str], *, yes: bool) -> None:
    current, progress = Versions(place).current(), progress_of()
    engine = {**(current.choices() if current else {}), **wishes}.get(ENGINE, AUTO)
    recipe = Recipe(extras=extras(engine, onnx=config.use_onnx))
    choice = choose(config.embedder_python, use_homebrew=config.use_homebrew_pytorch, runner=runner)
    prove, agree = partial(serving.prove, progress), partial(_confirm, yes=yes)
    changed = Builder(place, choice, runner, progress, recipe, wishes, prove, agree).build()
    click.echo(f"the daemon's environment {place} is {'ready' if changed else 'up to date'}")


def _confirm(objection: str, *, yes: bool) -> None:
    """Ask whether to continue despite the objection.

    Raises:
        ProvisionError: the user declined, or there is no terminal to ask on.
    """
    if yes:
        return
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise ProvisionError(f"{objection}, or accept it with --yes")
    click.echo(f"{objection}.")
    if not click.confirm("Install it anyway?"):
        raise ProvisionError("nothing was installed; pass --yes to accept PyTorch with CUDA")


def _choices(engine: str | None, model: str | None) -> dict[str, str]:
    """Return the requested options as variables; defaults are left out."""
    wishes = {}
    if engine:
        wishes[ENGINE] = "" if engine == AUTO else engine
    if model:
        wishes[models.VARIABLE] = "" if model == BUNDLED_MODEL else model
    return wishes


@daemon.command()
@_venv
@click.option("--keep-environment", is_flag=True, help="Remove only the service.")
def uninstall(*, venv: Path | None, keep_environment: bool) -> None:
    """Stop the daemon, and remove its service and environments; memories are kept."""
    config, place, service = settings.load(), _place(venv), find_service(SystemRunner())
    if not keep_environment:
        Versions(place).require_removable()  # before the service, which knows the place, is gone
    if service is not None:
        there = service.uninstall()
        click.echo(f"removed {service.file}" if there else f"{service.name} has no service for the daemon")
    elif file := installed.left_service():
        raise ProvisionError(
            f"{file} starts the daemon at login, but its service manager does not answer here; run this command in a "
            "login session of your own, or delete the file"
        )
    if not keep_environment:
        _remove(config.embedder_address, place)
    click.echo(f"memories are kept in {config.sqlite_path}")


def _remove(address: str, place: Path) -> None:
    """Delete the environments, stop a daemon that runs from them, and list files that other daemons may use."""
    versions = Versions(place)
    if installed.runs_from(versions, installed.holder(address)):
        installed.end_holder(address)
        click.echo(f"stopped the daemon at {address}")
    removed = versions.remove()
    click.echo(f"removed {place}" if removed else f"there is no environment in {place}")
    for path in _leftovers(address):
        click.echo(f"kept for other daemons; delete it if there are none: {path}")


def _leftovers(address: str) -> list[Path]:
    """Return the files that daemons leave: converted models, measurements, logs, and files beside the socket."""
    socket = socket_path(address)
    logs = sorted(user_log_path("memory-mcp").glob("embedder*.log*"))
    beside = [socket.with_name(socket.name + end) for end in (".lock", ".batch")]
    return [path for path in (user_cache_path("memory-mcp"), *logs, *beside) if path.exists()]


@daemon.command()
@_venv
@click.option("--no-service", is_flag=True, help="Run in the foreground until interrupted.")
def start(*, venv: Path | None, no_service: bool) -> None:
    """Start the daemon and wait until it serves."""
    config, environment = settings.load(), installed.refreshed(Versions(_place(venv)), Lines(click.echo))
    if no_service:
        become(environment.program, *_arguments(config, environment))
    service = _require_service("start", venv)
    service.start()
    _tell_serving(config.embedder_address, service)


@daemon.command()
def stop() -> None:
    """Stop the daemon after it has finished the running requests."""
    address = settings.load().embedder_address
    service = _registered(SystemRunner())
    stopped = service.stop() if service else False
    by_hand = installed.end_holder(address)
    click.echo("the daemon has stopped" if stopped or by_hand else "no daemon is running")


@daemon.command()
@_venv
@click.option("--no-service", is_flag=True, help="Run the new daemon in the foreground.")
def restart(*, venv: Path | None, no_service: bool) -> None:
    """Replace the running daemon with one of this version; no search fails meanwhile."""
    config, environment = settings.load(), installed.refreshed(Versions(_place(venv)), Lines(click.echo))
    if no_service:
        installed.end_holder(config.embedder_address, wait=False)  # meanwhile the new one loads its code
        become(environment.program, "--supervised", *_arguments(config, environment))
    service = _require_service("restart", venv)
    if installed.holder(config.embedder_address) not in {None, service.process()}:
        installed.end_holder(config.embedder_address)  # a daemon that was started by hand
    service.restart()
    _tell_serving(config.embedder_address, service)


@daemon.command()
@_venv
@as_json_option
def status(*, venv: Path | None, as_json: bool) -> int:
    """Show how the daemon is and what fixes it (exit code 3 if something needs fixing)."""
    config, place = settings.load(), _place(venv)
    versions, service = Versions(place), _registered(SystemRunner())
    environment, finding = versions.current(), serving.ask(config.embedder_address)
    if finding.condition is not Condition.OK:
        finding = explained(finding, config.embedder_address, versions, service)
    by_hand = environment is None and finding.condition is Condition.OK  # started by hand, and serving
    looked = None if by_hand else troubles.look(versions, service, SystemRunner())
    trouble = str(looked) if isinstance(looked, Trouble) else ""
    data = {
        "daemon": asdict(finding),
        "address": config.embedder_address,
        "process": installed.holder(config.embedder_address),
        "service": {"name": service.name, "file": str(service.file), "process": service.process()} if service else None,
        "environment": {"place": str(place), "folder": str(environment.folder) if environment else None},
        "choices": environment.choices() if environment else {},
        "trouble": trouble,
    }
    if as_json:
        print_data(data)
    else:
        click.echo("\n".join(_lines(data, finding)))
    return 0 if finding.condition is Condition.OK and not trouble else DEGRADED


def _lines(data: Mapping[str, object], finding: Finding) -> list[str]:
    """Return one line for each non-empty part."""
    how = "; ".join(part for part in (finding.detail, finding.cause, finding.fix) if part)
    flat = {name: _line(value) for name, value in data.items()} | {"daemon": f"{finding.state}: {how}"}
    return [f"{name + ':':13}{value}" for name, value in flat.items() if value]


def _line(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {item}" for key, item in value.items() if item)
    return str(value or "")


@daemon.command()
@click.option(
    "--lines", "-n", type=click.IntRange(1, 100_000), default=50, show_default=True, help="Number of lines to show."
)
@click.option("--follow", "-f", is_flag=True, help="Keep printing new lines.")
def logs(*, lines: int, follow: bool) -> None:
    """Show the log of the daemon that launchd or systemd runs."""
    runner = SystemRunner()
    service = _registered(runner)
    if service is None:
        raise ProvisionError(
            "launchd or systemd runs no daemon, so there is no log; a daemon started by hand logs to its terminal"
        )
    runner.stream(*service.logs(lines, follow=follow))


def _place(venv: Path | None) -> Path:
    """Return the given place, else the one in the service, else the default."""
    if venv:
        return venv.absolute()
    return installed.place_of(find_service(SystemRunner())) or default_place()


def _foreground(verb: str, venv: Path | None) -> str:
    return f"memory-mcp daemon {verb} --no-service{f' --venv {shlex.quote(str(venv))}' if venv else ''}"


def _registered(runner: Runner) -> Service | None:
    """Return the service in which the daemon is registered."""
    service = find_service(runner)
    return service if service and service.file.is_file() else None


def _require_service(verb: str, venv: Path | None) -> Service:
    service = _registered(SystemRunner())
    if service is None:
        raise ProvisionError(
            f"no service runs the daemon; run `{installed.install_command(Versions(_place(venv)))}`, "
            f"or `{_foreground(verb, venv)}`"
        )
    return service


def _arguments(config: settings.Settings, environment: Environment) -> list[str]:
    """Return the options for a daemon in the foreground; recorded choices override the environment variables."""
    return ["--address", config.embedder_address, *serving.options(environment.choices())]


def _tell_serving(address: str, service: Service) -> None:
    kind = serving.until_serving(address)
    click.echo(f"it serves at {address} and has embedded a test text: {kind}")
    holder = installed.holder(address)
    if holder not in {None, service.process()}:
        click.echo(
            f"that is process {holder}, which {service.name} did not start; `memory-mcp daemon restart` replaces it"
        )


def _tell_places(config: settings.Settings, place: Path) -> None:
    environment = installed.require(Versions(place))
    places = {"environment": f"{place} -> {environment.folder.name}", "memories": config.sqlite_path}
    places |= {"logs": user_log_path("memory-mcp")} if sys.platform == "darwin" else {}
    for name, path in places.items():
        click.echo(f"  {name + ':':13}{path}")
    click.echo(
        "`memory-mcp daemon status` shows how it is; `memory-mcp daemon uninstall` removes it and keeps the memories"
    )
