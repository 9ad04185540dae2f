"""Edits one table of a TOML text; tomlkit keeps comments, order and layout of the others."""

from __future__ import annotations

import tomllib

from memory_mcp.provision.clients.entries import Entry


class TomlText:
    """TOML, read by the standard library and written by tomlkit."""

    def load(self, text: str) -> dict[str, object]:
        """Return the document."""
        return tomllib.loads(text)  # its error names the line

    def put(self, text: str, section: str, name: str, entry: Entry) -> str:
        """Return the text with the entry."""
        import tomlkit  # noqa: PLC0415 - for Codex alone

        document = tomlkit.parse(text)
        if section not in document:
            document[section] = tomlkit.table(is_super_table=True)
        document[section][name] = entry
        return tomlkit.dumps(document)

    def drop(self, text: str, section: str, name: str) -> str:
        """Return the text without the entry."""
        import tomlkit  # noqa: PLC0415 - likewise

        document = tomlkit.parse(text)
        del document[section][name]
        return tomlkit.dumps(document)
