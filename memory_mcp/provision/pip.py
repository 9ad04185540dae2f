"""pip in our environments: we decide where and how it installs, the user decides where packages come from.

pip also takes every option from PIP_ variables and from its configuration files, so a user's `user`, `target` or
`dry-run` would send the packages elsewhere or nowhere. So it sees neither, only the user's values of the options in
`SOURCES`. They are passed as variables, because a command line shows an index's password to everybody on the machine.
"""

from __future__ import annotations

import ast
import json
import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from memory_mcp.environment import of_pip
from memory_mcp.provision.errors import ProvisionError
from memory_mcp.provision.process import Hear, Runner

SOURCES: Final = frozenset(
    {
        *("index-url", "pypi-url", "extra-index-url", "no-index", "find-links"),
        *("proxy", "cert", "client-cert", "trusted-host", "keyring-provider"),
        *("timeout", "default-timeout", "retries", "resume-retries", "cache-dir", "no-cache-dir"),
    }
)
"""pip's options that say where packages come from and how they are fetched."""
_TRUSTSTORE: Final = "truststore"
"""The only pip feature that concerns sources: it takes certificates from the system."""
OURS: Final[Mapping[str, str]] = {
    "PIP_CONFIG_FILE": os.devnull,  # pip then reads no file at all
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "PIP_NO_INPUT": "1",
    "PIP_PROGRESS_BAR": "off",
    "PIP_ROOT_USER_ACTION": "ignore",
}
_FILE: Final = "PIP_CONFIG_FILE"
_SECTIONS: Final = ("global", "install")
"""Sections of pip's files; the later one wins, and variables win over both."""
_SETTING: Final = re.compile(r"(?P<section>[\w-]+)\.(?P<name>[\w-]+)=(?P<value>['\"].*)")


@dataclass(frozen=True)
class Pip:
    """One environment's pip; its output goes to a log."""

    python: Path
    runner: Runner
    log: Path

    def install(self, hear: Hear, *arguments: str) -> None:
        """Install; `hear` receives pip's latest line.

        Raises:
            ProvisionError: pip failed; the message names the log.
        """
        try:
            self._install(hear, *arguments)
        except ProvisionError as error:
            raise ProvisionError(f"{error}; fix that and run this again, which continues from here") from error

    def download(self, hear: Hear, folder: Path, requirement: str, sha256: str, *options: str) -> Path:
        """Download one wheel into an empty folder, without installing it, and return its path.

        Raises:
            ProvisionError: no index has a wheel with this digest; the message names the log.
        """
        listed = folder / "requirements.txt"
        listed.write_text(f"{requirement} --hash=sha256:{sha256}\n", encoding="utf-8")
        words = ("--no-deps", "--require-hashes", "--only-binary", ":all:", *options, "-d", str(folder))
        self._record(hear, "download", *words, "-r", str(listed))
        return next(folder.glob("*.whl"))

    def plan(self, hear: Hear, requirement: str) -> dict[str, str]:
        """Return the versions, by name, of the packages that a requirement would install.

        Raises:
            ProvisionError: nothing fits, or no index answers.
        """
        with tempfile.TemporaryDirectory(prefix="memory-mcp-") as folder:
            report = Path(folder, "report.json")
            self._install(hear, "--dry-run", "--report", str(report), requirement)
            planned = json.loads(report.read_text(encoding="utf-8"))["install"]
        found = [each["metadata"] for each in planned]
        return {str(each["name"]).lower().replace("_", "-"): str(each["version"]) for each in found}

    def cache(self) -> Path | None:
        """Return pip's cache folder; None if it keeps no cache."""
        try:
            folder = self.runner.output(*self._pip, "cache", "dir", variables=self._variables).strip()
        except ProvisionError:  # with PIP_NO_CACHE_DIR
            return None
        return Path(folder)

    def _install(self, hear: Hear, *arguments: str) -> None:
        self._record(hear, "install", *arguments)

    def _record(self, hear: Hear, command: str, *arguments: str) -> None:
        def hear_news(line: str) -> None:
            if not line.startswith("WARNING"):
                hear(line)

        words = (*self._pip, command, *arguments)
        self.runner.record(*words, log=self.log, hear=hear_news, variables=self._variables)

    @property
    def _pip(self) -> tuple[str, ...]:
        return str(self.python), "-I", "-m", "pip"

    @cached_property
    def _variables(self) -> dict[str, str]:
        """Pip's variables: the user's sources and our own options."""
        given = {name: value for name, value in of_pip().items() if value}
        named = {name.removeprefix("PIP_").lower().replace("_", "-"): value for name, value in given.items()}
        chosen = {**self._from_files(given.get(_FILE, "")), **named}
        sources = {name: value for name, value in chosen.items() if name in SOURCES}
        if _TRUSTSTORE in chosen.get("use-feature", "").split():
            sources["use-feature"] = _TRUSTSTORE
        return {**{f"PIP_{name.upper().replace('-', '_')}": value for name, value in sources.items()}, **OURS}

    def _from_files(self, file: str) -> dict[str, str]:
        """Return the options from pip's configuration files, which pip itself locates and parses."""
        # -vvv and --python override `quiet` and `python` in the files, which would silence pip or start another one.
        words = (*self._pip, "--python", str(self.python), "config", "list", "-vvv")
        try:
            listed = self.runner.output(*words, variables={_FILE: file} if file else {})
        except ProvisionError as error:
            raise ProvisionError(f"pip cannot read its own settings: {error}; fix that file") from error
        found = [match for line in listed.splitlines() if (match := _SETTING.fullmatch(line))]
        return {
            each["name"]: str(ast.literal_eval(each["value"]))
            for section in _SECTIONS
            for each in found
            if each["section"] == section
        }
