"""The daemon that `make run` starts and `make stop` stops: one detached process, identified by its pid file."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import closing
from pathlib import Path
from typing import Final

import click
import grpc
from embedder_api.v1.address import target
from embedder_api.v1.contract import SERVICE_NAME
from grpc_health.v1 import health_pb2, health_pb2_grpc  # type: ignore[import-untyped]  # it has no types

from memory_common.reasons import reason

ROOT: Final = Path(__file__).resolve().parent.parent
PROGRAM: Final = ROOT / ".venv-daemon" / "bin" / "embedder-daemon"
RUN: Final = ROOT / ".run"
PID_FILE: Final = RUN / "daemon.pid"
LOG_FILE: Final = RUN / "daemon.log"

START_SECONDS: Final = 120.0
"""The first start reads torch from a cold disk."""
STOP_SECONDS: Final = 20.0


class DaemonError(click.ClickException):
    """Starting or stopping the daemon failed; the message is one line."""


def is_serving(address: str) -> bool | None:
    """Whether a daemon serves; None if none listens."""
    with closing(grpc.insecure_channel(target(address))) as channel:
        request = health_pb2.HealthCheckRequest(service=SERVICE_NAME)
        try:
            answer = health_pb2_grpc.HealthStub(channel).Check(request, timeout=2)
        except grpc.RpcError as error:
            # An answer, even an error, means that something listens.
            return None if error.code() == grpc.StatusCode.UNAVAILABLE else False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


def ensure(address: str) -> subprocess.Popen[bytes] | None:
    """Start the daemon unless one listens already, and wait until it serves; return what was started.

    Raises:
        DaemonError: it ended or did not serve in time.
    """
    serving = is_serving(address)
    if serving:
        click.echo(f"a daemon already serves {address}")
        return None
    process = None
    if serving is None:
        process = start(address)
        click.echo(f"started {PROGRAM} as process {process.pid}; its log is {LOG_FILE}")
    else:
        click.echo(f"a daemon already listens on {address} and is loading its model")
    _wait(address, process)
    return process


def start(address: str) -> subprocess.Popen[bytes]:
    """Start the daemon in its own session, so that it outlives this program and its terminal."""
    RUN.mkdir(exist_ok=True)
    with LOG_FILE.open("ab") as log:
        process = subprocess.Popen(  # noqa: S603 – our own program
            [PROGRAM],
            env=os.environ | {"EMBEDDER_ADDRESS": address},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    PID_FILE.write_text(f"{process.pid}\n", encoding="ascii")
    return process


def stop() -> str:
    """Stop the daemon that `start` started, and no other; return one line that says what was done.

    Raises:
        DaemonError: it does not exit in time.
    """
    pid = _read_pid()
    if pid is None or not _is_ours(pid):
        PID_FILE.unlink(missing_ok=True)
        return "there is no daemon of `make run` to stop"
    os.kill(pid, signal.SIGTERM)
    give_up = time.monotonic() + STOP_SECONDS
    while _is_ours(pid):
        if time.monotonic() > give_up:
            raise DaemonError(f"process {pid} did not exit within {STOP_SECONDS:.0f} s of SIGTERM; see {LOG_FILE}")
        time.sleep(0.05)
    PID_FILE.unlink(missing_ok=True)
    return f"the daemon (process {pid}) has ended"


def _wait(address: str, process: subprocess.Popen[bytes] | None) -> None:
    began = time.monotonic()
    told = 0
    while not is_serving(address):
        waited = time.monotonic() - began
        if process is not None and process.poll() is not None:
            PID_FILE.unlink(missing_ok=True)
            raise DaemonError(f"the daemon ended with exit code {process.returncode}: {_reason(process.returncode)}")
        if waited > START_SECONDS:
            raise DaemonError(f"the daemon is not serving after {waited:.0f} s; see {LOG_FILE}")
        if waited >= told + 2:
            told = int(waited)
            click.echo(f"  loading the model … {told} s")
        time.sleep(0.1)
    click.echo(f"the daemon serves {address} after {time.monotonic() - began:.1f} s")


def _reason(code: int) -> str:
    return f"{reason(LOG_FILE.read_text(encoding='utf-8', errors='replace'), code)} (its log is {LOG_FILE})"


def _read_pid() -> int | None:
    try:
        return int(PID_FILE.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def _is_ours(pid: int) -> bool:
    """Whether the process is running and is the program that we started: its id may have been reused."""
    command = _command(pid)  # the program execs its environment's Python, whose name may end with a version
    return str(PROGRAM.parents[1]) in command and "embedder" in command


def _command(pid: int) -> str:
    """Return a process's command line; empty if it has exited (a zombie has none)."""
    if Path("/proc/self/cmdline").exists():
        try:
            return Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8", errors="replace").replace("\0", " ")
        except OSError:
            return ""
    listed = subprocess.run(  # noqa: S603 – a fixed program of the system
        ["/bin/ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return listed.stdout
