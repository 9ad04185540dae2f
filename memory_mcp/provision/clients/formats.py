"""What the editors of the clients' files have in common."""

from __future__ import annotations

from typing import Protocol

from memory_mcp.provision.clients.entries import Entry


class BrokenTextError(ValueError):
    """A text that its format does not allow; the message names the line where it is known."""


class ForeignTextError(BrokenTextError):
    """A text that somebody else wrote, in a file that is ours alone; the message goes on after the file's name."""


class Format(Protocol):
    """Edits one member of a section; an empty text is an empty document. Everything else in the text stays."""

    def load(self, text: str) -> dict[str, object]:
        """Return the whole document, sections as name to entry; raise ValueError with the line when it is broken."""
        ...

    def put(self, text: str, section: str, name: str, entry: Entry) -> str:
        """Return the text with the entry, in place of an older one of its name."""
        ...

    def drop(self, text: str, section: str, name: str) -> str:
        """Return the text without the entry, which must be there."""
        ...


def section_of(document: dict[str, object], section: str) -> dict[str, Entry]:
    """Return the entries of a document's section; null, which some clients write, is none.

    Raises:
        BrokenTextError: the section, or an entry in it, is something else than a table of members.
    """
    entries = document.get(section)
    if entries is None:
        return {}
    if not isinstance(entries, dict):
        raise BrokenTextError(f"{section} is no table of servers")
    entries = {name: entry for name, entry in entries.items() if entry is not None}
    wrong = next((name for name, entry in entries.items() if not isinstance(entry, dict)), None)
    if wrong is not None:
        raise BrokenTextError(f"{section}.{wrong} is no table")
    return entries
