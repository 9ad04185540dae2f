"""Plans the change to a client's file, so that it can be shown before it is made."""

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
"""The byte order mark that some editors write; it is kept, and not part of the content."""


@dataclass(frozen=True)
class ConfigChange:
    """A file's text before and after the change; None means that there is no file."""

    file: ConfigFile
    before: str | None
    after: str | None
    original: str | None = None
    """The text in the backup if ours is the only change since then."""

    @property
    def changes(self) -> bool:
        """Whether there is anything to do."""
        return self.before != self.after

    def diff(self) -> str:
        """Return the change as a unified diff."""
        old, new = ((text or "").splitlines(keepends=True) for text in (self.before, self.after))
        path = str(self.file.path)
        was, will = ("/dev/null" if text is None else path for text in (self.before, self.after))
        lines = difflib.unified_diff(old, new, was, will)
        return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)

    def apply(self) -> None:
        """Back up the file, then replace it.

        Raises:
            ProvisionError: it cannot be written, or has changed in the meantime.
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
    """Plans edits of the entry with our name in one client's file."""

    client: Client
    machine: Machine
    name: str

    @property
    def file(self) -> ConfigFile:
        """The client's file."""
        return ConfigFile(self.client.path(self.machine, self.name))

    def entries(self, text: str) -> dict[str, Entry]:
        """Return the entries of all servers in the text.

        Raises:
            ProvisionError: the text is broken; the message names the line.
        """
        with self._told():
            return section_of(self._load(text), self.client.section)

    def snippet(self, wanted: Launch | Remote) -> str:
        """Return the text of a file with nothing but the entry."""
        return self.client.format.put("", self.client.section, self.name, self.client.entry(wanted))

    def install(self, wanted: Launch | Remote) -> ConfigChange:
        """Plan to write the entry.

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
        """Plan to remove the entry and nothing else.

        `wanted` identifies, by its address, an entry into which the user has put a token.

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
            return ConfigChange(self.file, before, None)  # the file did not exist before us
        after = self._edited(before, None)
        return ConfigChange(self.file, before, after if after.removeprefix(BOM).strip() else None)

    def _ours(self, text: str, wanted: Entry) -> Entry | None:
        old = self.entries(text).get(self.name)
        if old is None or is_ours(old) or (address(old) and address(old) == address(wanted)):
            return old
        raise ProvisionError(
            f"{self.file.path} has another server named {self.name}; rename or remove it, or choose another "
            "name for ours with --name"
        )

    def _original(self, before: str | None, entry: Entry | None) -> str | None:
        """Return the text before our change if nothing else has changed since; else None."""
        held = self.file.backup.read()
        if held is None or before is None or entry is None:
            return None
        try:
            return held if self.name not in self.entries(held) and self._edited(held, entry) == before else None
        except ProvisionError:
            return None

    def _edited(self, text: str, entry: Entry | None) -> str:
        """Write or remove the entry, and check that the rest of the file still means the same."""
        form, section = self.client.format, self.client.section
        expected = self._load(text)
        others = {name: held for name, held in self.entries(text).items() if name != self.name}
        mark, body = (BOM, text[1:]) if text.startswith(BOM) else ("", text)
        with self._told():
            body = form.drop(body, section, self.name) if entry is None else form.put(body, section, self.name, entry)
        edited = mark + body
        entries = others if entry is None else {**others, self.name: entry}
        if self._load(edited) | {section: self.entries(edited)} != expected | {section: entries}:
            raise ProvisionError(
                f"{self.file.path} cannot be edited without loss; add the entry that --print shows yourself"
            )
        return edited

    def _load(self, text: str) -> dict[str, object]:
        with self._told():
            return self.client.format.load(text.removeprefix(BOM))

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """Put the file's path into errors about its text."""
        try:
            yield
        except ForeignTextError as error:
            raise ProvisionError(f"{self.file.path} {error}") from error
        except ValueError as error:  # BrokenTextError, or one of the TOML parsers
            raise ProvisionError(
                f"{self.file.path} is invalid ({error}) and was left unchanged; fix it first"
            ) from error
