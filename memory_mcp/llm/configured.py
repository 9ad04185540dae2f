"""The model that the settings name: which kind of server has it is asked once."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Final

from pydantic import BaseModel, ValidationError

from memory_mcp.domain.chat import ChatMessage, ChatPart
from memory_mcp.llm.ollama import Ollama
from memory_mcp.llm.openai_form import OpenAiForm
from memory_mcp.llm.transport import Server, ServerRefusedError, Waits

NO_MODEL: Final = (
    "no language model is configured; set MCP_MEMORY_LLM_MODEL to one that `ollama list` shows"
    " (for another server also MCP_MEMORY_LLM_URL), or use --no-llm"
)
COMPATIBLE: Final = "/v1"
"""The end of a URL that OpenAI's clients want; Ollama has it too, but its own API is better."""


class Version(BaseModel):
    """What Ollama answers to `/api/version`, and no other server."""

    version: str


class ConfiguredModel:
    """A model at a URL."""

    def __init__(self, url: str, name: str, on_loading: Callable[[], None], waits: Waits | None = None) -> None:
        self.name = name
        self.url = url
        self._server = Server(url.removesuffix(COMPATIBLE), on_loading, waits or Waits())

    async def answer(self, messages: Sequence[ChatMessage]) -> AsyncGenerator[ChatPart, None]:
        """Yield the answer as it comes.

        Raises:
            ChatError: there is no answer, or the rest of it will not come.
        """
        kind = Ollama if await self._is_ollama() else OpenAiForm
        async with aclosing(kind(self._server, self.name).answer(messages)) as parts:
            async for part in parts:
                yield part

    async def _is_ollama(self) -> bool:
        try:
            Version.model_validate_json(await self._server.get("api/version"))
        except (ServerRefusedError, ValidationError):
            return False
        return True

    async def close(self) -> None:
        """Close the connections."""
        await self._server.close()
