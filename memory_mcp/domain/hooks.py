"""The events at which clients run us, and what each client calls them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class HookEvent(StrEnum):
    """When a client runs us."""

    SESSION_START = "session-start"
    PROMPT_SUBMIT = "prompt-submit"


_USUAL: Final = {HookEvent.SESSION_START: "SessionStart", HookEvent.PROMPT_SUBMIT: "UserPromptSubmit"}
HOOK_EVENTS: Final[Mapping[str, Mapping[HookEvent, str]]] = {
    # https://code.claude.com/docs/en/hooks
    "claude-code": _USUAL,
    # https://developers.openai.com/codex/hooks
    "codex": _USUAL,
    # https://geminicli.com/docs/hooks/reference
    "gemini-cli": {HookEvent.SESSION_START: "SessionStart", HookEvent.PROMPT_SUBMIT: "BeforeAgent"},
    # https://cursor.com/docs/agent/hooks
    "cursor": {HookEvent.SESSION_START: "sessionStart", HookEvent.PROMPT_SUBMIT: "beforeSubmitPrompt"},
}
"""By the client's name."""
