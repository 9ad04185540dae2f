"""The numbers of our advisory locks, so that no two are the same."""

from __future__ import annotations

from typing import Final

MIGRATIONS: Final = 0x6D656D31
"""Writers hold it together, who migrates holds it alone."""
SPACES: Final = 0x6D656D32
"""Who writes vectors shares it, who makes or activates a space has it alone."""
DOCUMENTS: Final = 0x6D656D33
"""Of who writes documents: what is compared and then written is one front's at a time."""
GRAPHS: Final = 0x6D656D34
"""Of who mends graphs; held for as long as that takes."""
TURNS: Final = 0x6D656D35
"""The class of those of writers that might write the same; they have two numbers."""
