"""The clients on this machine, and their entries for us."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from memory_mcp.domain.errors import MemoryMcpError
from memory_mcp.provision.clients.entries import NAME, Entry, address, is_ours
from memory_mcp.provision.clients.machine import Machine, this_machine
from memory_mcp.provision.clients.plan import Editor
from memory_mcp.provision.clients.table import CLIENTS, Client


@dataclass(frozen=True)
class Configured:
    """A client that has our entry, or whose file cannot be read."""

    client: str
    file: Path
    name: str = ""
    """The entry's name."""
    command: Path | None = None
    """The program that the client starts; None if it calls an address."""
    address: str | None = None
    runs: bool = True
    """Whether the program is an absolute path that exists."""
    problem: str | None = None
    """Why the file cannot be read; empty if it can."""


def found(machine: Machine | None = None) -> list[Client]:
    """Return the clients that have left files on this machine."""
    machine = machine or this_machine()
    return [client for client in CLIENTS if machine.platform in client.folders and client.is_here(machine, NAME)]


def configured(machine: Machine | None = None) -> list[Configured]:
    """Return our entries in the clients on this machine, and broken files; starts and changes nothing."""
    machine = machine or this_machine()
    return [each for client in found(machine) for each in _entries(Editor(client, machine, NAME))]


def _entries(editor: Editor) -> list[Configured]:
    try:
        entries = editor.entries(editor.file.read() or "")
    except MemoryMcpError as error:
        return [Configured(editor.client.name, editor.file.path, problem=str(error))]
    return [_told(editor, name, entry) for name, entry in entries.items() if is_ours(entry)]


def _told(editor: Editor, name: str, entry: Entry) -> Configured:
    command = entry.get("command")
    path = Path(command) if isinstance(command, str) else None
    runs = path is None or (path.is_absolute() and path.is_file() and os.access(path, os.X_OK))
    return Configured(editor.client.name, editor.file.path, name, path, address(entry), runs)
