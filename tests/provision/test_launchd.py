from __future__ import annotations

import os
import plistlib
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

import grpc
import pytest
from embedder_api.v1.contract import SERVICE_NAME
from grpc_health.v1 import health_pb2, health_pb2_grpc  # type: ignore[import-untyped]  # it ships none

from memory_mcp.provision import launchd
from memory_mcp.provision.errors import ProvisionError
from memory_mcp.provision.launchd import LABEL, LaunchAgent, render
from tests.provision.fakes import FakeLaunchctl

KEYS = {
    "Label",
    "ProgramArguments",
    "EnvironmentVariables",
    "RunAtLoad",
    "KeepAlive",
    "ProcessType",
    "ThrottleInterval",
    "ExitTimeOut",
    "Umask",
    "StandardOutPath",
    "StandardErrorPath",
}
DAEMON = Path(sys.executable).with_name("embedder-daemon")


def test_the_rendered_plist_says_what_launchd_needs(tmp_path: Path) -> None:
    """Every key, every value, nothing left to fill in, also with letters that XML escapes."""
    program = tmp_path / "Application Support & more" / "embedder-daemon"
    content = render(program, "unix:/tmp/e.sock", tmp_path, {"EMBEDDER_MODEL": "/a/model"})
    job = plistlib.loads(content)
    assert set(job) == KEYS
    assert job["Label"] == LABEL
    assert job["ProgramArguments"] == [str(program), "--supervised"]
    assert job["EnvironmentVariables"] == {"EMBEDDER_ADDRESS": "unix:/tmp/e.sock", "EMBEDDER_MODEL": "/a/model"}
    assert job["RunAtLoad"] is True
    assert job["KeepAlive"] == {"SuccessfulExit": False}
    assert job["ProcessType"] == "Interactive"
    assert (job["ThrottleInterval"], job["ExitTimeOut"]) == (10, 20)
    assert job["Umask"] == 0o077
    assert job["StandardErrorPath"] == job["StandardOutPath"] == str(tmp_path / "embedder.log")
    assert b"@" not in content


def test_install_replaces_and_uninstall_removes(tmp_path: Path) -> None:
    """Installing twice keeps one job; uninstalling removes it and its file, and is content with nothing."""
    launchctl = FakeLaunchctl()
    agent = LaunchAgent(launchctl, platform="darwin", home=tmp_path)
    logs = tmp_path / "Logs" / "memory-mcp"
    for address in ("unix:/tmp/one.sock", "unix:/tmp/two.sock"):
        agent.install(render(DAEMON, address, logs, {}), logs)
    assert launchctl.loaded == {f"gui/{os.getuid()}/{LABEL}"}
    assert agent.file == tmp_path / "Library" / "LaunchAgents" / f"{LABEL}.plist"
    assert plistlib.loads(agent.file.read_bytes())["EnvironmentVariables"] == {"EMBEDDER_ADDRESS": "unix:/tmp/two.sock"}
    assert logs.is_dir()
    assert agent.uninstall()
    assert launchctl.loaded == set()
    assert not agent.file.exists()
    assert not agent.uninstall()


def test_a_job_that_stays_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The wait for launchd is bounded and ends with the command to try."""
    monkeypatch.setattr(launchd, "UNLOAD_SECONDS", 0.0)
    launchctl = FakeLaunchctl({f"gui/{os.getuid()}/{LABEL}"}, stubborn=True)
    with pytest.raises(ProvisionError, match="launchctl bootout"):
        LaunchAgent(launchctl, platform="darwin", home=tmp_path).uninstall()


def test_off_macos_it_is_one_line(tmp_path: Path) -> None:
    """Elsewhere there is no launchd, and nothing is written."""
    agent = LaunchAgent(FakeLaunchctl(), platform="linux", home=tmp_path)
    with pytest.raises(ProvisionError, match="launchd is macOS's"):
        agent.install(b"", tmp_path / "logs")
    with pytest.raises(ProvisionError, match="start the daemon by hand"):
        agent.uninstall()
    assert list(tmp_path.iterdir()) == []


def test_the_daemon_starts_from_the_very_plist() -> None:
    """With the plist's arguments and nothing but its environment the daemon serves, and SIGTERM ends it with 0."""
    with tempfile.TemporaryDirectory(prefix="mm") as folder:  # a short path, as sockets need
        address = f"unix:{folder}/run/e.sock"
        job = plistlib.loads(render(DAEMON, address, Path(folder), {"EMBEDDER_ENGINE": "hash"}))
        log = Path(job["StandardErrorPath"])
        with log.open("wb") as out:
            process = subprocess.Popen(
                job["ProgramArguments"],
                env=job["EnvironmentVariables"],
                umask=job["Umask"],
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
            )
        try:
            wait_until_serving(address, process, log)
            process.send_signal(signal.SIGTERM)
            assert process.wait(job["ExitTimeOut"]) == 0
        finally:
            process.kill()
            process.wait()


def wait_until_serving(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Ask the health service until it says SERVING, for at most 20 s."""
    give_up = time.monotonic() + 20
    with closing(grpc.insecure_channel(address, options=[("grpc.max_reconnect_backoff_ms", 200)])) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        request = health_pb2.HealthCheckRequest(service=SERVICE_NAME)
        while time.monotonic() < give_up and process.poll() is None:
            try:
                answer = stub.Check(request, timeout=1, wait_for_ready=True)
            except grpc.RpcError:
                continue
            if answer.status == health_pb2.HealthCheckResponse.SERVING:
                return
    pytest.fail(f"the daemon does not serve (exit code {process.poll()}): {log.read_text(encoding='utf-8')}")
