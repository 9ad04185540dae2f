"""What the path of a client's file depends on: the system, the home folder, and variables that name folders."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from memory_mcp.environment import folders_of_others


@dataclass(frozen=True)
class Machine:
    """One user's machine."""

    platform: str
    home: Path
    moved: Mapping[str, Path] = field(default_factory=dict)
    """Folders by the variable that names them."""

    def place(self, template: str) -> Path:
        """Return the path of a template with {home} or {config}."""
        config = self.moved.get("XDG_CONFIG_HOME") or self.home / ".config"
        return Path(template.format(home=self.home, config=config))


def this_machine() -> Machine:
    """Return the machine that we run on."""
    return Machine(sys.platform, Path.home(), folders_of_others())
