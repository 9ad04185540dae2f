"""What a client shows of a tool's answer: the text, and the structured result."""

from __future__ import annotations

import json
from dataclasses import dataclass

from tests.e2e.client import Json, RawClient


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, which is no error."""

    text: str
    data: Json

    @property
    def json(self) -> str:
        """The structured result as it goes over the wire."""
        return json.dumps(self.data, ensure_ascii=False, separators=(",", ":"))


async def ask(client: RawClient, tool: str, **arguments: object) -> Answer:
    """Call a tool."""
    result = (await client.request("tools/call", {"name": tool, "arguments": arguments}))["result"]
    assert not result.get("isError"), result["content"][0]["text"]
    [content] = result["content"]
    return Answer(content["text"], result["structuredContent"])
