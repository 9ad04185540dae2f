"""Ollama by its own API: `/v1` cannot set the size of the context, and cuts a longer prompt in silence."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Sequence
from typing import Final

from pydantic import BaseModel, ValidationError

from memory_mcp.domain.chat import ChatEnd, ChatError, ChatMessage, ChatPart
from memory_mcp.llm.transport import AnswerLine, Server, ServerRefusedError

ANSWER_TOKENS: Final = 2048
"""The most tokens of an answer."""
STEP: Final = 4096
MARGIN: Final = 1.3
"""What a model's tokenizer may make of a text, as a multiple of what o200k_base makes of it."""
FOREIGN: Final = 3
"""What is tried where that was too little: some cut digits one by one, or know one alphabet alone."""
KEEP_ALIVE: Final = "10m"
"""How long the model stays loaded, for the next question."""
TOO_LONG: Final = "the passages and the question do not fit into the context of"
SENT_STATUS: Final = 200
"""The status of an answer that fails when it has begun."""
LESS: Final = "send fewer passages with --max-tokens, or choose a model with a larger context"


class OllamaMessage(BaseModel):
    """The part of the answer in a line; a model's thinking, which is in another field, is not shown."""

    content: str = ""


class OllamaLine(AnswerLine):
    """A line of the answer."""

    message: OllamaMessage = OllamaMessage()
    done: bool = False
    done_reason: str | None = None
    prompt_eval_count: int = 0
    """Tokens of the prompt that the model read."""


class Ollama:
    """A model that Ollama runs."""

    def __init__(self, server: Server, name: str) -> None:
        self._server = server
        self._name = name

    async def answer(self, messages: Sequence[ChatMessage]) -> AsyncGenerator[ChatPart, None]:
        """Yield the answer as it comes.

        Raises:
            ChatError: there is no answer, or the rest of it will not come.
        """
        least = context_size(messages)
        for num_ctx in (least, least * FOREIGN):
            try:
                async for line in self._server.post("api/chat", self._request(messages, num_ctx)):
                    part = self._part(line, num_ctx)
                    yield part
                    if part.end:
                        return
            except ServerRefusedError as refused:
                has_begun = refused.status == SENT_STATUS
                if has_begun or not refused.is_about_context or num_ctx > least:
                    raise self._explained(refused) from refused
            else:
                raise self._server.broken()

    def _request(self, messages: Sequence[ChatMessage], num_ctx: int) -> dict[str, object]:
        return {
            "model": self._name,
            "messages": [{"role": each.role, "content": each.content} for each in messages],
            "stream": True,
            "think": False,
            "truncate": False,  # fail instead of leaving out passages
            "shift": False,  # end instead of forgetting them
            "keep_alive": KEEP_ALIVE,
            "options": {"num_ctx": num_ctx, "num_predict": ANSWER_TOKENS, "temperature": 0},
        }

    def _part(self, line: bytes, num_ctx: int) -> ChatPart:
        try:
            chunk = OllamaLine.model_validate_json(line)
        except ValidationError as error:
            raise self._server.strange() from error
        if chunk.said:
            raise ServerRefusedError(SENT_STATUS, chunk.said)
        if chunk.done and chunk.prompt_eval_count >= num_ctx:  # an old Ollama does not know `truncate`
            raise ChatError(f"{TOO_LONG} {self._name!r}", LESS)
        return ChatPart(chunk.message.content, ended(chunk.done_reason) if chunk.done else None)

    def _explained(self, refused: ServerRefusedError) -> ChatError:
        if "not found" in refused.said:
            fix = f"get it with `ollama pull {self._name}`"
            return ChatError(f"Ollama does not have the model {self._name!r}", fix)
        if refused.is_about_context:
            return ChatError(f"{TOO_LONG} {self._name!r}", LESS)
        return self._server.failed(refused.said)


def ended(reason: str | None) -> ChatEnd:
    """Return how an answer ended, from what OpenAI's form and Ollama call its reason."""
    return ChatEnd.CUT if reason == "length" else ChatEnd.COMPLETE


def context_size(messages: Sequence[ChatMessage]) -> int:
    """Return the tokens that a prompt and its answer may take.

    Ollama loads the model again when the size changes, hence the steps.
    """
    wanted = ANSWER_TOKENS + MARGIN * sum(each.tokens for each in messages)
    return math.ceil(wanted / STEP) * STEP
