"""Replicas of launchd and systemd, as far as their contracts with the daemon go: real processes, real files."""

from __future__ import annotations

import os
import plistlib
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from memory_mcp.provision.errors import ProvisionError
from memory_mcp.provision.process import Hear, SystemRunner

WAIT_S = 60.0
NOTHING: Mapping[str, str] = {}


@dataclass
class Run:
    """One life of a job's process."""

    pid: int
    code: int | None = None
    killed: bool = False
    """By SIGKILL, because it did not end in time."""


@dataclass
class Supervised:
    """A job: one process at a time, started again when it failed."""

    command: Sequence[str]
    environment: Mapping[str, str]
    umask: int
    throttle_s: float
    stop_s: float
    output: Path = Path(os.devnull)
    runs: list[Run] = field(default_factory=list)
    _process: subprocess.Popen[bytes] | None = None
    _unwanted: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    @property
    def pid(self) -> int | None:
        """Its process, while it lives."""
        process = self._process
        return process.pid if process and process.returncode is None else None

    def start(self) -> None:
        """Start unless it runs, whatever the throttle says, as `kickstart` and `systemctl start` do."""
        if self.pid is not None:
            return
        self._end_thread()
        self._unwanted.clear()
        self._spawn()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Send SIGTERM, and SIGKILL when that is not enough in time."""
        self._unwanted.set()
        process = self._process
        if process and process.returncode is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(self.stop_s)
            except subprocess.TimeoutExpired:
                self.runs[-1].killed = True
                process.kill()
        self._end_thread()

    def _end_thread(self) -> None:
        self._unwanted.set()
        if self._thread:
            self._thread.join(WAIT_S)

    def _spawn(self) -> None:
        out = os.open(self.output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666 & ~self.umask)
        try:
            self._process = subprocess.Popen(
                self.command,
                env=dict(self.environment),
                umask=self.umask,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        finally:
            os.close(out)
        self.runs.append(Run(self._process.pid))

    def _watch(self) -> None:
        """Note how it ended; a failure is started again, not sooner than the throttle allows."""
        while self._process is not None:
            began = time.monotonic()
            self.runs[-1].code = code = self._process.wait()
            wait_s = max(0.0, began + self.throttle_s - time.monotonic())
            if code == 0 or self._unwanted.wait(wait_s):
                return
            self._spawn()


@dataclass
class Launchd:
    """A Runner whose `launchctl` is this object; other programs are real."""

    hurry: float = 1.0
    """Divides ThrottleInterval and ExitTimeOut."""
    jobs: dict[str, Supervised] = field(default_factory=dict)
    ended: list[Supervised] = field(default_factory=list)
    disabled: set[str] = field(default_factory=set)

    def output(self, *command: str, variables: Mapping[str, str] = NOTHING) -> str:
        """Answer enable, bootstrap, bootout, kickstart, kill and print."""
        if command[0] != "launchctl":
            return SystemRunner().output(*command, variables=variables)
        verbs: dict[str, Callable[..., str]] = {
            "enable": self._enable,
            "bootstrap": self._bootstrap,
            "bootout": self._bootout,
            "kickstart": self._kickstart,
            "kill": self._kill,
            "print": self._print,
        }
        return verbs[command[1]](*command[2:])

    def stream(self, *command: str) -> None:
        """Let a real program's output through."""
        SystemRunner().stream(*command)

    def record(self, *command: str, log: Path, hear: Hear, variables: Mapping[str, str] = NOTHING) -> str:
        """Run a real program."""
        return SystemRunner().record(*command, log=log, hear=hear, variables=variables)

    def close(self) -> None:
        """End every job."""
        for job in list(self.jobs):
            self._bootout(job)

    def _enable(self, name: str) -> str:
        self.disabled.discard(name)
        return ""

    def _bootstrap(self, domain: str, file: str) -> str:
        plist: dict[str, Any] = plistlib.loads(Path(file).read_bytes())
        name = f"{domain}/{plist['Label']}"
        if name in self.jobs or name in self.disabled:
            raise ProvisionError("Bootstrap failed: 5: Input/output error")
        assert plist["KeepAlive"] == {"SuccessfulExit": False}
        assert plist["RunAtLoad"]
        self.jobs[name] = job = Supervised(
            plist["ProgramArguments"],
            plist["EnvironmentVariables"],
            plist["Umask"],
            plist["ThrottleInterval"] / self.hurry,
            plist["ExitTimeOut"] / self.hurry,
            Path(plist["StandardErrorPath"]),
        )
        job.start()
        return ""

    def _bootout(self, name: str) -> str:
        job = self._job(name)
        job.stop()
        self.ended.append(self.jobs.pop(name))
        return ""

    def _kickstart(self, name: str) -> str:
        self._job(name).start()
        return ""

    def _kill(self, number: str, name: str) -> str:
        pid = self._job(name).pid
        if pid is None:
            raise ProvisionError("No process to signal.")
        os.kill(pid, signal.Signals[number])
        return ""

    def _print(self, name: str) -> str:
        pid = self._job(name).pid
        running = f"\tstate = running\n\tpid = {pid}\n" if pid else "\tstate = not running\n"
        return f"{name} = {{\n\tactive count = 1\n{running}\tlast exit code = 0\n}}\n"

    def _job(self, name: str) -> Supervised:
        if name not in self.jobs:
            raise ProvisionError(f'Could not find service "{name.rpartition("/")[2]}" in domain for user gui')
        return self.jobs[name]


@dataclass
class Systemd:
    """A Runner whose `systemctl --user` is this object, with one unit; it hears what the daemon tells."""

    folder: Path
    """Where units lie, and the socket for messages."""
    heard: list[str] = field(default_factory=list)
    enabled: set[str] = field(default_factory=set)
    unit: Supervised | None = None
    _ear: socket.socket | None = None

    def output(self, *command: str, variables: Mapping[str, str] = NOTHING) -> str:
        """Answer what the program asks."""
        if command[:2] != ("systemctl", "--user"):
            return SystemRunner().output(*command, variables=variables)
        verb, *words = command[2:]
        if verb == "show":
            return f"{(self.unit.pid if self.unit else None) or 0}\n"
        actions: dict[str, Callable[[str], object]] = {
            "start": self._start,
            "stop": self._stop,
            "enable": self.enabled.add,
            "disable": self._disable,
        }
        if verb in actions:
            actions[verb](words[-1])
        else:
            assert verb in {"daemon-reload", "show-environment", "reset-failed"}
        return ""

    def stream(self, *command: str) -> None:
        """Let a real program's output through."""
        SystemRunner().stream(*command)

    def record(self, *command: str, log: Path, hear: Hear, variables: Mapping[str, str] = NOTHING) -> str:
        """Run a real program."""
        return SystemRunner().record(*command, log=log, hear=hear, variables=variables)

    def close(self) -> None:
        """End the unit."""
        self._stop("")
        if self._ear:
            self._ear.close()

    def _disable(self, name: str) -> None:
        self.enabled.remove(name)
        self._stop(name)

    def _stop(self, _name: str) -> None:
        if self.unit:
            self.unit.stop()

    def _start(self, name: str) -> None:
        lines = (self.folder / name).read_text(encoding="utf-8").split("\n")
        entries = [line.partition("=")[::2] for line in lines if "=" in line and not line.startswith("#")]
        values = {key: value for key, value in entries if key != "Environment"}
        assert (values["Type"], values["Restart"]) == ("notify", "on-failure")
        environment = dict(_unquoted(value).partition("=")[::2] for key, value in entries if key == "Environment")
        environment |= {"NOTIFY_SOCKET": self._listen(), "WATCHDOG_USEC": str(int(values["WatchdogSec"]) * 1_000)}
        if not (self.unit and self.unit.pid):
            words = _words(values["ExecStart"])
            self.unit = Supervised(
                words,
                environment,
                int(values["UMask"], 8),
                float(values["RestartSec"]),
                float(values["TimeoutStopSec"]),
            )
            self.unit.start()

    def _listen(self) -> str:
        path = self.folder / "notify"
        if self._ear is None:
            self._ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self._ear.bind(str(path))
            threading.Thread(target=self._hear, args=(self._ear,), daemon=True).start()
        return str(path)

    def _hear(self, ear: socket.socket) -> None:
        while True:
            try:
                self.heard += ear.recv(4096).decode().splitlines()
            except OSError:
                return


def _unquoted(value: str) -> str:
    return _split(value)[0]


def _words(command: str) -> list[str]:
    """Return the words of a command; in its arguments `$$` is a dollar, in the program's path it is two."""
    program, *arguments = _split(command)
    assert not any("$" in word.replace("$$", "") for word in arguments)
    return [program, *(word.replace("$$", "$") for word in arguments)]


def _split(value: str) -> list[str]:
    """Return the words of a line as systemd.syntax(7) says: quotes, C's escapes, doubled percent signs."""
    escapes = {"n": "\n", "t": "\t", "r": "\r"}
    words = re.findall(r'"((?:[^"\\]|\\.)*)"|(\S+)', value)
    return [
        re.sub(r"\\(.)|%(%)", lambda found: escapes.get(found[1], found[1]) if found[1] else "%", quoted or bare)
        for quoted, bare in words
    ]
