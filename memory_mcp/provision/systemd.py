"""The user unit that starts the daemon at login and restarts it when it fails (Linux)."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from platformdirs import user_config_path

from memory_mcp.provision import service, source
from memory_mcp.provision.errors import ProvisionError
from memory_mcp.provision.process import Runner
from memory_mcp.provision.service import Job, until_ended

UNIT: Final = source.UNIT


_LETTERS: Final = {"\\": "\\\\", '"': '\\"', "%": "%%", "\n": "\\n", "\t": "\\t", "\r": "\\r"}
"""Escapes of special characters in a quoted word of a unit file; see systemd.syntax(7)."""
_SPELT: Final = {spelling: letter for letter, spelling in _LETTERS.items()}
_REFUSED: Final = frozenset("\"'\\\n\t\r")
"""Characters that systemd rejects in a program's path, even escaped; it accepts all of them in arguments."""
_SHELL: Final = ("/bin/sh", "-c", 'exec "$0" "$@"')


def render(job: Job) -> bytes:
    """Return the unit's file."""
    variables = "\n".join(f"Environment={_quoted(f'{name}={value}')}" for name, value in job.environment.items())
    text = source.template(UNIT).read_text(encoding="utf-8")
    return text.replace("@PROGRAM@", _command(str(job.program))).replace("@ENVIRONMENT@", variables).encode()


def _command(program: str) -> str:
    """Return the ExecStart words of a program; systemd expands `$` in arguments but not in the path."""
    if not _REFUSED & set(program):
        return _quoted(program)
    return " ".join(_quoted(word).replace("$", "$$") for word in (*_SHELL, program))


def _quoted(text: str) -> str:
    return f'"{"".join(_LETTERS.get(letter, letter) for letter in text)}"'


def _unquoted(value: str) -> list[str]:
    """Return the words that `_quoted` wrote."""
    words = re.findall(r'"((?:[^"\\]|\\.)*)"|(\S+)', value)
    return [re.sub(r"%%|\\.", lambda spelt: _SPELT.get(spelt[0], spelt[0]), quoted) or bare for quoted, bare in words]


def _units() -> Path:
    return user_config_path() / "systemd" / "user"


@dataclass(frozen=True)
class SystemdUnit:
    """The unit of the user's own systemd; see `service.Service`. `folder` is an argument for the tests."""

    runner: Runner
    folder: Path = field(default_factory=_units)
    name: str = "systemd"

    @property
    def file(self) -> Path:
        return self.folder / UNIT

    @property
    def fits(self) -> bool:
        """Whether this user's systemd answers."""
        try:
            self._systemctl("show-environment")
        except ProvisionError:
            return False
        return True

    def program(self) -> Path | None:
        words = self._words("ExecStart")
        through_a_shell = tuple(word.replace("$$", "$") for word in words[: len(_SHELL)]) == _SHELL
        named = words[len(_SHELL)].replace("$$", "$") if through_a_shell else next(iter(words), None)
        return Path(named) if named else None

    def environment(self) -> dict[str, str]:
        pairs = (word.partition("=") for word in self._words("Environment"))
        return {name: value for name, _, value in pairs}

    def install(self, job: Job) -> None:
        service.write(self.file, render(job))
        self._systemctl("daemon-reload")
        self._systemctl("enable", UNIT)
        self.restart()

    def uninstall(self) -> bool:
        if not self.file.exists():
            return False
        self._systemctl("disable", "--now", UNIT)
        self.file.unlink()
        self._systemctl("daemon-reload")
        return True

    def start(self) -> None:
        """Start the job without waiting for it, as it may itself be waiting for another daemon's lock."""
        service.require_file(self)
        with suppress(ProvisionError):  # so that earlier failures do not count against the start limit
            self._systemctl("reset-failed", UNIT)
        self._systemctl("start", "--no-block", UNIT)

    def stop(self) -> bool:
        pid = self.process()
        self._systemctl("stop", UNIT)
        until_ended(self, pid)
        return pid is not None

    def restart(self) -> None:
        service.require_file(self)
        self.stop()
        self.start()

    def process(self) -> int | None:
        try:
            pid = int(self._systemctl("show", "--property", "MainPID", "--value", UNIT))
        except (ValueError, ProvisionError):
            return None
        return pid or None

    def logs(self, lines: int, *, follow: bool) -> list[str]:
        service.require_file(self)
        return ["journalctl", "--user", "--unit", UNIT, "--lines", str(lines), *(["--follow"] if follow else [])]

    def _words(self, key: str) -> list[str]:
        """Return the words that `_quoted` wrote for a key."""
        with suppress(OSError, ValueError):
            lines = self.file.read_text(encoding="utf-8").split("\n")
            values = [line.removeprefix(f"{key}=") for line in lines if line.startswith(f"{key}=")]
            return [word for value in values for word in _unquoted(value)]
        return []

    def _systemctl(self, *words: str) -> str:
        return self.runner.output("systemctl", "--user", *words)
