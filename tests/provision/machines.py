"""Machines with a home folder of their own, and what their users' files hold before us."""

from __future__ import annotations

from pathlib import Path

from memory_mcp.provision.clients.block import Block
from memory_mcp.provision.clients.entries import Launch
from memory_mcp.provision.clients.json_text import JsonText
from memory_mcp.provision.clients.machine import Machine
from memory_mcp.provision.clients.plan import Editor
from memory_mcp.provision.clients.table import Client
from memory_mcp.provision.clients.toml_text import TomlText

SYSTEMS = ("darwin", "linux")
LAUNCH = Launch("/opt/größe 1/bin/memory-mcp", ("serve",), "work")

JSON = """{
    "theme" : "dark",   "zoom": 1.50,
    "SECTION": {
        "other": {"command": "npx", "args": ["-y", "größe", "a//b"]}
    },
    "last": [1,2,   3]
}
"""
COMMENTED = """// my settings
{
  "theme": "dark", // not light
  /* servers */
  "SECTION": {
    // the first
    "other": { "command": "npx", "args": ["http://x", "/* no comment */"], }, // and the last
    // nothing more
  },
  "last": [1, 2, 3,],
}
"""
TOML = """# my settings
model = "gpt" # the good one

[SECTION.other]
command = "npx" # with arguments
args = ["-y",
  "größe", # two
]

[tui]
theme = "dark"

[SECTION.third]
command = "x"
"""
NOTHING: dict[type, str] = {JsonText: "{}\n", TomlText: "# nothing yet\n"}
BROKEN: dict[type, str] = {
    JsonText: '{\n  "theme": "dark"\n  "zoom": 1\n}\n',
    TomlText: 'model = "gpt"\nzoom =\n',
    Block: '{\n  "name": "mine",\n}\n',
}


def editor(client: Client, system: str, home: Path) -> Editor:
    """Return what edits the client's file in a home folder."""
    return Editor(client, Machine(system, home), "memory")


def existing(client: Client) -> str:
    """Return a file with other servers, comments and a layout of its own."""
    text = TOML
    if isinstance(client.format, JsonText):
        text = COMMENTED if client.format.comments else JSON
    return text.replace("SECTION", client.section)


def write(path: Path, text: str) -> Path:
    """Write a file where a client would."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())
    return path
