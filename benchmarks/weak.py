"""`python -m benchmarks.weak`: whether `weak` tells questions that a store answers from those that it does not.

Each set that has groups is stored once, and each of its questions asked through the MCP tools three times: in its own
group, where the answer is, in the group after it and in another one, where it is not. `abstention.jsonl`, where a set
has one, holds questions of a group's own matters that nothing in it answers. Balanced accuracy is the mean of the
share of answered questions that are not called weak and the share of the others that are.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from mcp import Client, StdioServerParameters

from benchmarks.kit import FRONT, Asked, daemon, say
from benchmarks.retrieval import PATIENCE_S, Front
from benchmarks.sets import Question, RetrievalSet, sampled, sets
from benchmarks.tables import head, line

SETS = ("locomo_dev_turn", "locomo_dev_session", "beam_dev")
ABSTENTION = "abstention.jsonl"


def foreign(chosen: RetrievalSet, places: int) -> list[Question]:
    """Return the questions, each put to the group so many places after its own."""
    groups = chosen.namespaces
    following = {group: groups[(place + places) % len(groups)] for place, group in enumerate(groups)}
    return [Question(question.text, {}, following[question.namespace]) for question in chosen.questions]


def unanswered(path: Path) -> list[Question]:
    """Read the questions that nothing answers; none where there is no file."""
    if not path.exists():
        return []
    rows = [json.loads(row) for row in path.read_text(encoding="utf-8").splitlines()]
    return [Question(row["text"], {}, str(row["group"])) for row in rows]


async def measure(chosen: RetrievalSet, data: Path, environment: Mapping[str, str]) -> None:
    """Store one set, ask it and print its lines."""
    async with Client(StdioServerParameters(command=str(FRONT), args=["serve"], env=dict(environment))) as client:
        front = Front(client)
        await front.store(chosen)
        answered = await front.weak(chosen.questions)
        others = {
            "the next group": foreign(chosen, 1),
            "another group": foreign(chosen, 2),
            "their own group, which does not answer": unanswered(data / chosen.name / ABSTENTION),
        }
        for name, questions in others.items():
            if questions:
                missed = await front.weak(questions)
                accuracy = (1 - answered + missed) / 2
                say(
                    line([chosen.name, name, f"{answered:.3f}", f"{missed:.3f} of {len(questions)}", f"{accuracy:.3f}"])
                )


async def main(arguments: Sequence[str]) -> None:
    """Measure the sets that are at hand, and print a table in Markdown."""
    asked = Asked.of(arguments)
    say(head(["set", "asked in", "answered and called weak", "not answered and called weak", "balanced accuracy"]))
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        async with daemon(folder, *asked.daemon) as served:
            for whole in sets(asked.data, asked.names or SETS):
                environment = {
                    "MCP_MEMORY_EMBEDDER_ADDRESS": served.address,
                    "MCP_MEMORY_SQLITE_PATH": f"{folder}/{whole.name}.db",
                    "MCP_MEMORY_EMBED_BUDGET_S": str(PATIENCE_S),
                    "MCP_MEMORY_BULK_BUDGET_S": str(PATIENCE_S),
                }
                await measure(sampled(whole, asked.questions), asked.data, environment)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
