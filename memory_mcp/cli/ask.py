"""`memory-mcp ask`: an answer from memory, by the language model that the settings name."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from typing import Final

import click

from memory_mcp import settings
from memory_mcp.app import make_chat_model
from memory_mcp.cli import DEGRADED
from memory_mcp.cli.context import print_block
from memory_mcp.cli.options import call, options_of
from memory_mcp.cli.output import clean, note, print_json
from memory_mcp.cli.session import as_json_option, interruptible
from memory_mcp.cli.streams import print_data
from memory_mcp.context.asking import Asking
from memory_mcp.domain.chat import ChatEnd
from memory_mcp.domain.ports import ChatModel
from memory_mcp.domain.urls import host_of, is_encrypted, is_loopback
from memory_mcp.tools.context import CONTEXT, ContextPart, ContextResult

NOTHING: Final = "nothing was found; the model was not asked"
Data = dict[str, object]


@click.command()
@click.argument("question", nargs=-1, required=True)
@options_of(CONTEXT, "query", "budget_ms")
@click.option(
    "--budget-ms",
    type=click.IntRange(50, 60_000),
    default=5_000,  # the model takes longer still
    show_default=True,
    help="Milliseconds to find passages in; slower sources are left out.",
)
@click.option("--no-llm", is_flag=True, help="Print the passages that the model would get, and ask none.")
@as_json_option
def ask(*, question: tuple[str, ...], no_llm: bool, as_json: bool, **options: object) -> int:
    """Answer a QUESTION from memory, with a local language model.

    The settings llm_model and llm_url name the model. The answer cites its passages, like [1].
    """
    asked = " ".join(question)
    if not asked.strip():
        raise click.UsageError("the question is blank; write what you want to know")
    model = None if no_llm else make_chat_model(settings.load(), lambda: note("loading the model…"))
    block = call(CONTEXT, {"query": asked, **options})
    for remark in block.remarks():
        note(remark)
    if model is None:
        if as_json:
            print_json(block)
        else:
            print_block(block.text_)
        return _code(block)
    asking = Asking(model, block.text_, {item.n for item in block.items})
    answer = _answer(asking, model, asked, as_json=as_json) if block.items else None
    if answer is None:
        note(NOTHING)
    if as_json:
        print_data({"question": asked, "answer": answer} | _facts(asking, model, block))
    else:
        _print_sources(asking, block)
    return DEGRADED if asking.end is ChatEnd.CUT else _code(block)


def _answer(asking: Asking, model: ChatModel, question: str, *, as_json: bool) -> str:
    """Return the answer, shown as it comes unless it is for a program.

    Raises:
        ChatError: there is no answer, or the rest of it will not come.
    """
    if not is_loopback(model.url):
        how = "" if is_encrypted(model.url) else ", unencrypted"
        note(f"the question and what was found go to {host_of(model.url)}{how}")
    parts: list[str] = []
    try:
        with interruptible():
            asyncio.run(_collect(asking, model, question, parts, (lambda _: None) if as_json else _show))
    finally:
        if parts and not as_json:
            click.echo()
    for remark in _remarks(asking):
        note(remark)
    return "".join(parts)


async def _collect(
    asking: Asking, model: ChatModel, question: str, parts: list[str], show: Callable[[str], None]
) -> None:
    try:
        async with aclosing(asking.answer(question)) as answer:
            async for part in answer:
                parts.append(part)
                show(part)
    finally:
        await model.close()


def _show(part: str) -> None:
    click.echo(clean(part), nl=False)


def _remarks(asking: Asking) -> list[str]:
    """Return what the reader of an answer should know."""
    citations, remarks = asking.citations, []
    if citations.unknown:
        numbers = ", ".join(map(str, citations.unknown))
        remarks.append(f"the model cited what it was not sent, marked with a question mark: {numbers}")
    if not citations.cited:
        remarks.append("the answer cites no passage; compare it with `--no-llm`")
    if asking.end is ChatEnd.CUT:
        remarks.append("the answer was cut at its maximum length; ask for less at once")
    return remarks


def _print_sources(asking: Asking, block: ContextResult) -> None:
    """Print where each cited passage is from, in the order of the citations."""
    for number in asking.citations.cited:
        places = [_place(item) for item in block.items if item.n == number]
        click.echo(clean(f"[{number}] {'; '.join(places)}"))


def _place(item: ContextPart) -> str:
    return " ".join(part for part in (item.source, item.id, item.title, item.uri) if part)


def _facts(asking: Asking, model: ChatModel, block: ContextResult) -> Data:
    """Return what goes with an answer, for programs."""
    cited = [item.model_dump(mode="json") for item in block.items if item.n in asking.citations.cited]
    return {
        "citations": cited,
        "unknown_citations": asking.citations.unknown,
        "complete": asking.end is ChatEnd.COMPLETE,
        "model": model.name,
        "url": model.url,
        "context": block.model_dump(mode="json", by_alias=True, exclude={"text_", "items"}),
    }


def _code(block: ContextResult) -> int:
    return DEGRADED if block.degraded else 0
