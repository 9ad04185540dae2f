"""The port of the editors of clients' files, and their errors."""

from __future__ import annotations

from typing import Protocol

from memory_mcp.provision.clients.entries import Entry


class BrokenTextError(ValueError):
    """A text that is invalid in its format; the message names the line if it is known."""


class ForeignTextError(BrokenTextError):
    """Foreign text in a file that should be ours alone; the message continues after the file's path."""


class Format(Protocol):
    """Edits one member of a section and leaves the rest of the text as it is; an empty text is an empty document."""

    def load(self, text: str) -> dict[str, object]:
        """Return the document, its sections as mappings from name to entry; raises ValueError that names the line."""
        ...

    def put(self, text: str, section: str, name: str, entry: Entry) -> str:
        """Return the text with the entry; replaces an older one with its name."""
        ...

    def drop(self, text: str, section: str, name: str) -> str:
        """Return the text without the entry, which must exist."""
        ...


def section_of(document: dict[str, object], section: str) -> dict[str, Entry]:
    """Return the entries of a document's section; null, which some clients write, counts as empty.

    Raises:
        BrokenTextError: the section, or an entry in it, is not a table.
    """
    entries = document.get(section)
    if entries is None:
        return {}
    if not isinstance(entries, dict):
        raise BrokenTextError(f"{section} is not a table of servers")
    entries = {name: entry for name, entry in entries.items() if entry is not None}
    wrong = next((name for name, entry in entries.items() if not isinstance(entry, dict)), None)
    if wrong is not None:
        raise BrokenTextError(f"{section}.{wrong} is not a table")
    return entries
