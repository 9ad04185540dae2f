"""The prompts: texts that a user asks for by name, filled with memories."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from memory_mcp.domain.errors import InvalidArgumentError
from memory_mcp.domain.models import MAX_QUERY, Filters
from memory_mcp.search.models import SearchQuery
from memory_mcp.search.times import understand
from memory_mcp.tools.fields import MemoryFields
from memory_mcp.tools.fitting import RESERVE
from memory_mcp.tools.listing import listed
from memory_mcp.tools.search import fitting
from memory_mcp.tools.services import Services
from memory_mcp.tools.sizes import tokens

RECALLED: Final = 10
REVIEWED: Final = 50
DEFAULT_PERIOD: Final = "last week"

PromptArguments = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument of a prompt."""

    name: str
    description: str
    required: bool = False


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt and the function that makes its text."""

    name: str
    description: str
    arguments: tuple[Argument, ...]
    make: Callable[[Services, str, PromptArguments], Awaitable[str]]
    writes: bool = False


async def _recall(services: Services, namespace: str, arguments: PromptArguments) -> str:
    topic = arguments["topic"]
    answer = await services.search.run(SearchQuery(topic, Filters(namespace), limit=RECALLED))
    memories = _listed(fitting(answer, topic, reserve=RESERVE + tokens(topic)).memories)
    note = f"\n(Found by keywords only: {answer.degraded})" if answer.degraded else ""
    return (
        f"What do you remember about this: {topic}\n\nThe long-term memory has, best first:\n{memories}{note}\n\n"
        "Answer from these memories, say how old those you rely on are, and search again (memory_search) if they "
        "leave something open."
    )


async def _review(services: Services, namespace: str, arguments: PromptArguments) -> str:
    period = arguments.get("period") or DEFAULT_PERIOD
    try:
        after, before = await understand(period)
    except InvalidArgumentError:
        problem = f"{period[:64]!r} is not a known time expression; use one like {DEFAULT_PERIOD!r} or 'in May 2023'"
        raise InvalidArgumentError("period", problem) from None
    tags = (arguments["tag"],) if arguments.get("tag") else ()
    page = await listed(services, Filters(namespace, tags=tags, after=after, before=before), REVIEWED)
    return (
        f"Review what was remembered {period}, {len(page.memories)} of {page.total} memories, newest first:\n"
        f"{_listed(page.memories)}\n\n"
        "Point out contradictions, repetitions, outdated memories and missing tags. Propose each change, and make it "
        "(memory_update, memory_delete) when I agree."
    )


async def _save_session(services: Services, namespace: str, arguments: PromptArguments) -> str:
    del services, namespace
    tag = arguments.get("tag")
    labelled = f" Give each the tag {tag!r}." if tag else ""
    return (
        "Look back over this conversation and store what will matter later with memory_store_many: facts about me "
        "and my work, preferences, decisions with their reasons, open tasks and dates. One memory for each, in full "
        "sentences that make sense without this conversation and name their subjects. Leave out "
        f"secrets, small talk and what is already stored (memory_search).{labelled} Then tell me what you stored."
    )


def _listed(memories: Sequence[MemoryFields]) -> str:
    """List memories, with a note on how to read shortened ones."""
    lines = [f"- {memory.text()}" for memory in memories]
    if any(memory.shortened for memory in memories):
        lines.append("(Those that end in … are shortened; memory_get returns one in full.)")
    return "\n".join(lines) or "(nothing)"


_TAG: Final = Argument("tag", "Only memories with this tag")

PROMPTS: Final = (
    Prompt(
        "recall",
        "What is remembered about a topic",
        (Argument("topic", "The topic", required=True),),
        _recall,
    ),
    Prompt(
        "review",
        "Review recent memories and tidy them up",
        (Argument("period", f"The period, such as '{DEFAULT_PERIOD}' or 'in May 2023'"), _TAG),
        _review,
    ),
    Prompt(
        "save_session",
        "Store what matters from this conversation",
        (Argument("tag", "A tag for the stored memories"),),
        _save_session,
        writes=True,
    ),
)


def offered(*, read_only: bool) -> tuple[Prompt, ...]:
    """Return the prompts, without those that ask for writes if the server is read-only."""
    return tuple(prompt for prompt in PROMPTS if not (read_only and prompt.writes))


async def make(
    services: Services, namespace: str, name: str, arguments: PromptArguments, prompts: tuple[Prompt, ...]
) -> str:
    """Return the text of one of the prompts.

    Raises:
        InvalidArgumentError: there is no such prompt, an argument is missing, unknown or too long.
    """
    prompt = next((prompt for prompt in prompts if prompt.name == name), None)
    if prompt is None:
        names = ", ".join(prompt.name for prompt in prompts)
        raise InvalidArgumentError("name", f"unknown prompt {name[:64]!r}; choose one of: {names}")
    known = {argument.name: argument for argument in prompt.arguments}
    for given, value in arguments.items():
        if given not in known:
            raise InvalidArgumentError(given[:64], f"is not an argument of {name}; choose one of: {', '.join(known)}")
        if len(value) > MAX_QUERY:
            raise InvalidArgumentError(given, f"has {len(value)} characters; the maximum is {MAX_QUERY}")
    arguments = {
        name: value for name, value in arguments.items() if value.strip()
    }  # a blank argument counts as left out
    for argument in prompt.arguments:
        if argument.required and argument.name not in arguments:
            raise InvalidArgumentError(argument.name, "is required")
    return await prompt.make(services, namespace, arguments)
