"""The port to a language model."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Protocol

from memory_mcp.domain.chat import ChatMessage, ChatPart


class ChatModel(Protocol):
    """A model on some server; connects at the first question."""

    @property
    def name(self) -> str:
        """The model's name at its server."""
        ...

    @property
    def url(self) -> str:
        """Where what is sent goes."""
        ...

    def answer(self, messages: Sequence[ChatMessage]) -> AsyncGenerator[ChatPart, None]:
        """Yield the answer as it comes; the last part says how it ended. Closing the generator stops the model.

        Raises:
            ChatError: there is no answer, or the rest of it will not come.
        """
        ...

    async def close(self) -> None:
        """Close the connections."""
        ...
