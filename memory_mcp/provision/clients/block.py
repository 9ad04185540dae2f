"""Continue's own kind of file: a block, which is a file that holds our server and nothing else.

It is YAML, of which JSON is a part: so it is written, and read, as that.
"""

from __future__ import annotations

import json
import re
from typing import Final

from memory_mcp.provision.clients.entries import PROGRAM, Entry
from memory_mcp.provision.clients.formats import ForeignTextError
from memory_mcp.provision.clients.json_text import JsonText

_HEAD: Final = {"name": PROGRAM, "version": "1.0.0", "schema": "v1"}
"""What every block must say (https://docs.continue.dev/customize/deep-dives/mcp)."""

_NOTHING: Final = re.compile(r"\s*(---)?\s*(mcpServers:)?\s*(null|~|\[\s*\]|\{\s*\})?\s*")
"""YAML that names no server, as an editor or Continue itself may have left it."""


class Block:
    """A whole file that is ours; servers stand in a list there, with their names in them."""

    def load(self, text: str) -> dict[str, object]:
        """Return the document without its head, the list of servers as name to entry.

        Raises:
            ForeignTextError: it is other YAML than the JSON that we write.
        """
        if _NOTHING.fullmatch(text):
            return {}
        if not text.lstrip().startswith("{"):
            raise ForeignTextError("is YAML that we did not write; give ours another name with --name, or delete it")
        document = {key: value for key, value in JsonText().load(text).items() if _HEAD.get(key) != value}
        for section, servers in document.items():
            if isinstance(servers, list):
                named = {str(server.get("name")): server for server in servers if isinstance(server, dict)}
                document[section] = {name: _without_name(server) for name, server in named.items()}
        return document

    def put(self, text: str, section: str, name: str, entry: Entry) -> str:
        """Return a whole file; the text that it replaces was ours too."""
        del text
        block = {**_HEAD, section: [{"name": name, **entry}]}
        return json.dumps(block, indent=2, ensure_ascii=False) + "\n"

    def drop(self, text: str, section: str, name: str) -> str:
        """Return nothing: the file was ours."""
        del text, section, name
        return ""


def _without_name(server: Entry) -> Entry:
    return {key: value for key, value in server.items() if key != "name"}
