"""Plans what becomes of a client's file, so that it can be shown before it is done."""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from memory_mcp.provision.clients.entries import Entry, Launch, Remote, address, is_ours, merged
from memory_mcp.provision.clients.files import ConfigFile
from memory_mcp.provision.clients.formats import ForeignTextError, section_of
from memory_mcp.provision.clients.machine import Machine
from memory_mcp.provision.clients.table import Client
from memory_mcp.provision.errors import ProvisionError

BOM: Final = "\ufeff"
"""What some editors begin a file with; it stays, and is no part of what the file says."""


@dataclass(frozen=True)
class ConfigChange:
    """What a file holds and is to hold; None is no file."""

    file: ConfigFile
    before: str | None
    after: str | None
    original: str | None = None
    """The text in the backup, where ours is the only change since; it is kept then."""

    @property
    def changes(self) -> bool:
        """Whether there is anything to do."""
        return self.before != self.after

    def diff(self) -> str:
        """Return it as a unified diff."""
        old, new = ((text or "").splitlines(keepends=True) for text in (self.before, self.after))
        path = str(self.file.path)
        was, will = ("/dev/null" if text is None else path for text in (self.before, self.after))
        lines = difflib.unified_diff(old, new, was, will)
        return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)

    def apply(self) -> None:
        """Keep a copy of what was there, then replace the file.

        Raises:
            ProvisionError: it cannot be written, or was changed meanwhile.
        """
        if not self.changes:
            return
        backup = self.file.backup
        held = backup.read()
        if self.after is not None and self.after == self.original:
            self.file.replace(self.before, self.after)
            backup.replace(held, None)
            return
        if self.before is not None and self.after is not None and self.original is None:
            backup.replace(held, self.before)
        self.file.replace(self.before, self.after)


@dataclass(frozen=True)
class Editor:
    """One client's file, and the entry in it that has our name."""

    client: Client
    machine: Machine
    name: str

    @property
    def file(self) -> ConfigFile:
        """The client's file."""
        return ConfigFile(self.client.path(self.machine, self.name))

    def entries(self, text: str) -> dict[str, Entry]:
        """Return the servers that the text names.

        Raises:
            ProvisionError: the text is broken; the message names the line.
        """
        with self._told():
            return section_of(self._load(text), self.client.section)

    def snippet(self, wanted: Launch | Remote) -> str:
        """Return a file that holds the entry and nothing else."""
        return self.client.format.put("", self.client.section, self.name, self.client.entry(wanted))

    def install(self, wanted: Launch | Remote) -> ConfigChange:
        """Plan to put the entry there.

        Raises:
            SettingsError: the client cannot call an address.
            ProvisionError: the file is broken, or another server has our name.
        """
        entry = self.client.entry(wanted)
        before = self.file.read()
        old = self._ours(before or "", entry)
        entry = entry if old is None else merged(old, entry)
        if entry == old:
            return ConfigChange(self.file, before, before)
        after = self._edited(before or "", entry)
        return ConfigChange(self.file, before, after, self._original(before, old))

    def uninstall(self, wanted: Remote | None = None) -> ConfigChange:
        """Plan to take the entry out, and nothing else; `wanted` names the address of one that has a token by now.

        Raises:
            ProvisionError: the file is broken, or another server has our name.
        """
        before = self.file.read()
        old = self._ours(before or "", self.client.entry(wanted) if wanted else {})
        if before is None or old is None:
            return ConfigChange(self.file, before, before)
        if (original := self._original(before, old)) is not None:
            return ConfigChange(self.file, before, original, original)
        if self._edited("", old) == before:
            return ConfigChange(self.file, before, None)  # there was none before us
        after = self._edited(before, None)
        return ConfigChange(self.file, before, after if after.removeprefix(BOM).strip() else None)

    def _ours(self, text: str, wanted: Entry) -> Entry | None:
        old = self.entries(text).get(self.name)
        if old is None or is_ours(old) or (address(old) and address(old) == address(wanted)):
            return old
        raise ProvisionError(
            f"{self.file.path} has another server of the name {self.name}; rename or remove it, or give ours another "
            "name with --name"
        )

    def _original(self, before: str | None, entry: Entry | None) -> str | None:
        """Return what was there before us, if ours is the only change since."""
        held = self.file.backup.read()
        if held is None or before is None or entry is None:
            return None
        try:
            return held if self.name not in self.entries(held) and self._edited(held, entry) == before else None
        except ProvisionError:
            return None

    def _edited(self, text: str, entry: Entry | None) -> str:
        """Put the entry there, or take it out, and check that nothing else has another meaning now."""
        form, section = self.client.format, self.client.section
        expected = self._load(text)
        others = {name: held for name, held in self.entries(text).items() if name != self.name}
        mark, body = (BOM, text[1:]) if text.startswith(BOM) else ("", text)
        with self._told():
            body = form.drop(body, section, self.name) if entry is None else form.put(body, section, self.name, entry)
        edited = mark + body
        entries = others if entry is None else {**others, self.name: entry}
        if self._load(edited) | {section: self.entries(edited)} != expected | {section: entries}:
            raise ProvisionError(f"{self.file.path} cannot be edited without loss; do by hand what --print shows")
        return edited

    def _load(self, text: str) -> dict[str, object]:
        with self._told():
            return self.client.format.load(text.removeprefix(BOM))

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """Name the file that is broken."""
        try:
            yield
        except ForeignTextError as error:
            raise ProvisionError(f"{self.file.path} {error}") from error
        except ValueError as error:  # BrokenTextError, or the TOML parsers' own
            raise ProvisionError(f"{self.file.path} is broken ({error}); it is left as it was, fix it") from error
