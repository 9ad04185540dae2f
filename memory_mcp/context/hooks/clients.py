"""The clients' forms: what each tells a hook on stdin, and the JSON object that it takes for an answer.

Codex refuses keys that it does not know, so that an answer has none but these.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from memory_mcp.domain.hooks import HOOK_EVENTS, HookEvent


class HookInput(NamedTuple):
    """What a client tells."""

    session: str
    """Its id; empty if there is none."""
    folder: Path | None
    """That its user works in."""
    prompt: str = ""
    begins: bool = True
    """Whether the session's context begins anew: at a start, a clear or a compaction, not when it is resumed."""


def answered(client: str, event: HookEvent, text: str) -> dict[str, object]:
    """Return the answer of a client's hook with a text."""
    if client == "cursor":
        return {"additional_context": text}
    return {"hookSpecificOutput": {"hookEventName": HOOK_EVENTS[client][event], "additionalContext": text}}


RESUMED: Final = "resume"


def told(given: Mapping[str, object]) -> HookInput:
    """Return what a client tells; what is missing or of another type counts as not told."""
    roots = given.get("workspace_roots")
    folders = [given.get("cwd"), *(roots if isinstance(roots, list) else ())]
    sessions = [given.get(name) for name in ("session_id", "conversation_id")]
    begun = given.get("source", given.get("trigger"))
    return HookInput(
        session=next((each for each in sessions if isinstance(each, str)), ""),
        folder=next((Path(each) for each in folders if isinstance(each, str) and each.startswith("/")), None),
        prompt=prompt if isinstance(prompt := given.get("prompt"), str) else "",
        begins=begun != RESUMED,
    )
