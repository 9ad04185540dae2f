"""Every other server: OpenAI's `/v1/chat/completions`, as llama.cpp, vLLM, LM Studio and many more have it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Final

from pydantic import BaseModel, ValidationError

from memory_mcp.domain.chat import ChatEnd, ChatError, ChatMessage, ChatPart
from memory_mcp.llm.ollama import ANSWER_TOKENS, LESS, SENT_STATUS, TOO_LONG, ended
from memory_mcp.llm.transport import AnswerLine, Server, ServerRefusedError

DATA: Final = b"data:"
DONE: Final = b"[DONE]"
NOT_FOUND: Final = 404
MODEL_STATUSES: Final = frozenset({400, NOT_FOUND})
"""With which servers refuse a model that they do not have."""


class Delta(BaseModel):
    """The part of the answer in an event."""

    content: str | None = None


class StreamedChoice(BaseModel):
    """The only answer that is asked for."""

    delta: Delta | None = None
    finish_reason: str | None = None


class StreamedEvent(AnswerLine):
    """An event of the stream."""

    choices: tuple[StreamedChoice, ...] = ()


class OpenAiForm:
    """A model behind OpenAI's API."""

    def __init__(self, server: Server, name: str) -> None:
        self._server = server
        self._name = name

    async def answer(self, messages: Sequence[ChatMessage]) -> AsyncGenerator[ChatPart, None]:
        """Yield the answer as it comes.

        Raises:
            ChatError: there is no answer, or the rest of it will not come.
        """
        try:
            async for line in self._server.post("v1/chat/completions", self._request(messages)):
                for part in self._parts(line):
                    yield part
                    if part.end:
                        return
        except ServerRefusedError as refused:
            raise self._explained(refused) from refused
        raise self._server.broken()

    def _request(self, messages: Sequence[ChatMessage]) -> dict[str, object]:
        return {
            "model": self._name,
            "messages": [{"role": each.role, "content": each.content} for each in messages],
            "stream": True,
            "max_tokens": ANSWER_TOKENS,
            "temperature": 0,
        }

    def _parts(self, line: bytes) -> list[ChatPart]:
        """Return what a line of the event stream says; the other fields and comments of one say nothing."""
        data = line.removeprefix(DATA).strip()
        if not line.startswith((DATA, b"{")):  # some send a bare object where they fail
            return []
        if data == DONE:  # not every server gives a reason before
            return [ChatPart("", ChatEnd.COMPLETE)]
        event = self._parsed(data)
        if event.said:
            raise ServerRefusedError(SENT_STATUS, event.said)
        return [_part(choice) for choice in event.choices[:1]]

    def _parsed(self, data: bytes) -> StreamedEvent:
        try:
            return StreamedEvent.model_validate_json(data)
        except ValidationError as error:
            raise self._server.strange() from error

    def _explained(self, refused: ServerRefusedError) -> ChatError:
        if refused.is_about_context:
            return ChatError(f"{TOO_LONG} {self._name!r}", LESS)
        if refused.status in MODEL_STATUSES and "model" in refused.said.lower():
            fix = f"set MCP_MEMORY_LLM_MODEL to one that {self._server.url}/v1/models lists"
            return ChatError(f"the model server does not have the model {self._name!r}", fix)
        if refused.status == NOT_FOUND:
            return self._server.strange()
        return self._server.failed(refused.said)


def _part(choice: StreamedChoice) -> ChatPart:
    text = choice.delta.content if choice.delta else None
    return ChatPart(text or "", ended(choice.finish_reason) if choice.finish_reason else None)
