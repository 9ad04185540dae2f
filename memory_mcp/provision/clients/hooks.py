"""Our entries among a client's hooks, with which it tells its sessions what they should know.

Claude Code, Codex and Gemini CLI keep a list of groups for each event, each group with its hooks; Cursor a list of
hooks. Others' entries stay where they are.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from memory_mcp.domain.hooks import HOOK_EVENTS, HookEvent
from memory_mcp.provision.clients.entries import PROGRAM, Entry, Launch
from memory_mcp.provision.clients.files import BACKUP, ConfigFile
from memory_mcp.provision.clients.formats import BrokenTextError
from memory_mcp.provision.clients.json_text import JsonText, comments_of
from memory_mcp.provision.clients.machine import Machine
from memory_mcp.provision.clients.plan import ConfigChange
from memory_mcp.provision.clients.table import Client
from memory_mcp.provision.errors import ProvisionError

SECTION: Final = "hooks"
TIMEOUT_S: Final = 10
"""Far more than a hook takes: it gives up by itself."""
RULE: Final = """---
description: Long-term memory
alwaysApply: true
---

Before you answer anything that may depend on earlier sessions, call memory_context with the question.
"""
"""Cursor's editor may lose what its hooks say at a session's start; this stays."""
_FILES: Final = {
    "claude-code": (".claude", "settings.json"),
    "codex": ("", "hooks.json"),
    "gemini-cli": ("", "settings.json"),
    "cursor": ("", "hooks.json"),
}
"""The folder below the client's, and the file."""
HINTS: Final = {"codex": "; Codex asks once whether you trust them"}
"""What a client's user has to do besides restarting it."""


@dataclass(frozen=True)
class HooksFile(ConfigFile):
    """A file with hooks; its backup is not that of the servers, which Gemini CLI keeps in the same file."""

    @property
    def backup(self) -> ConfigFile:
        return ConfigFile(self.path.with_name(f"{self.path.name}{BACKUP}-hooks"))


@dataclass(frozen=True)
class HooksEditor:
    """Plans edits of our hooks in one client's files."""

    client: Client
    machine: Machine

    @property
    def file(self) -> HooksFile:
        """The file with the hooks."""
        below, name = _FILES[self.client.name]
        folder = self.client.folder(self.machine)
        moved = self.machine.moved.get(self.client.moved_by) is not None  # then it is the folder itself
        return HooksFile((folder if moved or not below else folder / below) / name)

    @property
    def rule(self) -> ConfigFile:
        """Cursor's rule."""
        return ConfigFile(self.client.folder(self.machine) / "rules" / f"{PROGRAM}.mdc")

    def install(self, launch: Launch) -> list[ConfigChange]:
        """Plan to add our hooks, or to bring them up to date.

        Raises:
            ProvisionError: a file is broken, or has comments where ours would be.
        """
        return [self._planned(launch), *self._rule(RULE)]

    def uninstall(self) -> list[ConfigChange]:
        """Plan to take out our hooks and nothing else; raises ProvisionError as `install`."""
        return [self._planned(None), *self._rule(None)]

    def snippet(self, launch: Launch) -> str:
        """Return the text of a file with nothing but our hooks."""
        return self._edited("", launch)

    def _planned(self, launch: Launch | None) -> ConfigChange:
        before = self.file.read()
        original = self._original(before)
        if launch is not None:
            return ConfigChange(self.file, before, self._edited(before or "", launch), original)
        if before is None:
            return ConfigChange(self.file, None, None)
        without = self._edited(before, None)
        if without == before or original is not None:
            return ConfigChange(self.file, before, before if without == before else original, original)
        return ConfigChange(self.file, before, without if self._meaning(without) else None)

    def _original(self, before: str | None) -> str | None:
        """Return the text before our hooks if nothing else has changed since; else None."""
        held = self.file.backup.read()
        if held is None or before is None:
            return None
        return held if self._meaning(held) == self._meaning(self._edited(before, None)) else None

    def _meaning(self, text: str) -> dict[str, object]:
        """Return a document without what is left where there is no hook."""
        document = self._document(text)
        if not document.get(SECTION):
            document.pop(SECTION, None)
        if self.client.name == "cursor":
            document.pop("version", None)
        return document

    def _edited(self, text: str, launch: Launch | None) -> str:
        form = JsonText(comments=self.client.name == "gemini-cli")
        document = self._document(text)
        edited = text
        for event, name in HOOK_EVENTS[self.client.name].items():
            groups = _groups(document, name, self.file)
            wanted = _without_ours(groups) if launch is None else _with(groups, self._group(launch, event))
            if wanted != groups:
                edited = form.put(edited, SECTION, name, wanted) if wanted else form.drop(edited, SECTION, name)
        if launch is not None and self.client.name == "cursor" and "version" not in document:
            edited = '{\n  "version": 1,' + edited.strip().removeprefix("{") + "\n"
        if form.comments and comments_of(edited) != comments_of(text):
            raise ProvisionError(
                f"{self.file.path} has comments among its hooks, which would be lost; add what --print shows yourself"
            )
        return edited

    def _group(self, launch: Launch, event: HookEvent) -> Entry:
        command = hook_command(launch, event, self.client.name)
        if self.client.name == "cursor":
            return {"command": command, "timeout": TIMEOUT_S}
        timeout = TIMEOUT_S * 1000 if self.client.name == "gemini-cli" else TIMEOUT_S
        return {"hooks": [{"type": "command", "command": command, "timeout": timeout}]}

    def _document(self, text: str) -> dict[str, object]:
        try:
            return JsonText(comments=self.client.name == "gemini-cli").load(text)
        except BrokenTextError as error:
            raise ProvisionError(
                f"{self.file.path} is invalid ({error}) and was left unchanged; fix it first"
            ) from error

    def _rule(self, wanted: str | None) -> Iterator[ConfigChange]:
        if self.client.name == "cursor":
            held = self.rule.read()
            if held in {None, RULE}:  # the user's own words stay
                yield ConfigChange(self.rule, held, wanted)


def hook_command(launch: Launch, event: HookEvent, client: str) -> str:
    """Return the command that a client runs: absolute, and short, because clients record it with every call."""
    words = [launch.command, *launch.arguments[:-1], "hook", event, "--client", client]
    return shlex.join([*words, "--namespace", launch.namespace] if launch.namespace else words)


def _broken(file: ConfigFile, why: str) -> ProvisionError:
    return ProvisionError(f"{file.path} is invalid ({why}) and was left unchanged; fix it first")


def _groups(document: dict[str, object], event: str, file: ConfigFile) -> list[object]:
    hooks = document.get(SECTION)
    groups = hooks.get(event) if isinstance(hooks, dict) else hooks
    if groups is None:
        return []
    if not isinstance(groups, list):
        raise ProvisionError(
            f"{file.path} is invalid ({SECTION}.{event} is no list) and was left unchanged; fix it first"
        )
    return groups


def _with(groups: list[object], ours: Entry) -> list[object]:
    """Return the entries with ours, wherever in the list it is already."""
    others = _without_ours(groups)
    return groups if ours in groups and len(others) == len(groups) - 1 else [*others, ours]


def _without_ours(groups: object) -> list[object]:
    """Return the entries without our hooks, and without groups that then have none."""
    kept: list[object] = []
    for group in groups if isinstance(groups, list) else ():
        held = group.get("hooks") if isinstance(group, dict) else None
        if isinstance(group, dict) and isinstance(held, list):
            others = [hook for hook in held if not _is_ours(hook)]
            if len(others) == len(held) or others:
                kept.append(group if len(others) == len(held) else {**group, "hooks": others})
        elif not _is_ours(group):
            kept.append(group)
    return kept


def _is_ours(hook: object) -> bool:
    command = hook.get("command") if isinstance(hook, dict) else None
    if not isinstance(command, str):
        return False
    try:
        words = shlex.split(command)
    except ValueError:  # a quote is missing
        return False
    if words[-2:-1] == ["--namespace"]:
        words = words[:-2]
    *program, hook, event, option, _ = words if len(words) > 4 else [""] * 5
    runs_us = Path(program[0]).name == PROGRAM or program[-1] == "memory_mcp"
    return runs_us and (hook, option) == ("hook", "--client") and event in list(HookEvent)


def has_hooks(client: Client) -> bool:
    """Whether we know a client's hooks."""
    return client.name in HOOK_EVENTS
