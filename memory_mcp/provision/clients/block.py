"""Continue's block: a file with our server and nothing else.

Continue reads YAML. JSON is a subset of it, so the block is written and read as JSON.
"""

from __future__ import annotations

import json
import re
from typing import Final

from memory_mcp.provision.clients.entries import PROGRAM, Entry
from memory_mcp.provision.clients.formats import ForeignTextError
from memory_mcp.provision.clients.json_text import JsonText

_HEAD: Final = {"name": PROGRAM, "version": "1.0.0", "schema": "v1"}
"""The fields that every block must have (https://docs.continue.dev/customize/deep-dives/mcp)."""

_NOTHING: Final = re.compile(r"\s*(---)?\s*(mcpServers:)?\s*(null|~|\[\s*\]|\{\s*\})?\s*")
"""YAML without a server, as an editor or Continue itself may leave it."""


class Block:
    """A file that is entirely ours; its servers are a list, each with its name."""

    def load(self, text: str) -> dict[str, object]:
        """Return the document without its head, with the list of servers as a mapping from name to entry.

        Raises:
            ForeignTextError: it is not the JSON that we write.
        """
        if _NOTHING.fullmatch(text):
            return {}
        if not text.lstrip().startswith("{"):
            raise ForeignTextError(
                "was not written by memory-mcp; choose another name for ours with --name, or delete the file"
            )
        document = {key: value for key, value in JsonText().load(text).items() if _HEAD.get(key) != value}
        for section, servers in document.items():
            if isinstance(servers, list):
                named = {str(server.get("name")): server for server in servers if isinstance(server, dict)}
                document[section] = {name: _without_name(server) for name, server in named.items()}
        return document

    def put(self, text: str, section: str, name: str, entry: Entry) -> str:
        """Return the whole file; the text that it replaces was ours too."""
        del text
        block = {**_HEAD, section: [{"name": name, **entry}]}
        return json.dumps(block, indent=2, ensure_ascii=False) + "\n"

    def drop(self, text: str, section: str, name: str) -> str:
        """Return nothing: the file was ours."""
        del text, section, name
        return ""


def _without_name(server: Entry) -> Entry:
    return {key: value for key, value in server.items() if key != "name"}
