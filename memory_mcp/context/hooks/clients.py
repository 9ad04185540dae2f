"""The clients' forms: what each tells a hook on stdin, and the JSON object that it takes for an answer.

Codex refuses keys that it does not know, so that an answer has none but these.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Final, NamedTuple


class HookEvent(StrEnum):
    """When a client runs us."""

    SESSION_START = "session-start"
    PROMPT_SUBMIT = "prompt-submit"


class HookInput(NamedTuple):
    """What a client tells."""

    session: str
    """Its id; empty if there is none."""
    folder: Path | None
    """That its user works in."""
    prompt: str = ""
    begins: bool = True
    """Whether the session's context begins anew: at a start, a clear or a compaction, not when it is resumed."""


class HookClient(NamedTuple):
    """One client's form."""

    events: Mapping[HookEvent, str]
    """What it calls each event."""
    answer: Callable[[str, str], dict[str, object]]
    """Makes the answer from the event's name and the text."""

    def answered(self, event: HookEvent, text: str) -> dict[str, object]:
        """Return the answer with a text."""
        return self.answer(self.events[event], text)


def _specific(event: str, text: str) -> dict[str, object]:
    return {"hookSpecificOutput": {"hookEventName": event, "additionalContext": text}}


def _plain(event: str, text: str) -> dict[str, object]:
    del event
    return {"additional_context": text}


_CLAUDE: Final = {HookEvent.SESSION_START: "SessionStart", HookEvent.PROMPT_SUBMIT: "UserPromptSubmit"}
HOOK_CLIENTS: Final[Mapping[str, HookClient]] = {
    # https://code.claude.com/docs/en/hooks
    "claude-code": HookClient(_CLAUDE, _specific),
    # https://developers.openai.com/codex/hooks
    "codex": HookClient(_CLAUDE, _specific),
    # https://geminicli.com/docs/hooks/reference
    "gemini-cli": HookClient(
        {HookEvent.SESSION_START: "SessionStart", HookEvent.PROMPT_SUBMIT: "BeforeAgent"}, _specific
    ),
    # https://cursor.com/docs/agent/hooks
    "cursor": HookClient(
        {HookEvent.SESSION_START: "sessionStart", HookEvent.PROMPT_SUBMIT: "beforeSubmitPrompt"}, _plain
    ),
}
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
