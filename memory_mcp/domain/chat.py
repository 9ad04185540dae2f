"""What a language model is sent and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Literal

from memory_mcp.domain.errors import Code, MemoryMcpError


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One message of a conversation."""

    role: Literal["system", "user"]
    content: str
    tokens: int
    """An upper bound by o200k_base; another tokenizer may make more."""


class ChatEnd(StrEnum):
    """Why an answer ended."""

    COMPLETE = "complete"
    CUT = "cut"
    """It reached the most tokens that an answer may have."""


@dataclass(frozen=True, slots=True)
class ChatPart:
    """The next part of an answer."""

    text: str
    end: ChatEnd | None = None
    """Set in the last part alone."""


class ChatError(MemoryMcpError):
    """The model has no answer, or not all of it; the message is the cause, `fix` what mends it."""

    code: ClassVar[Code] = Code.LLM

    def __init__(self, cause: str, fix: str) -> None:
        super().__init__(cause)
        self.fix = fix
