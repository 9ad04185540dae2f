"""One hook, from its client's JSON on stdin to ours on stdout. It never fails: the session must not stop."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from memory_mcp.context.hooks.clients import HookInput, answered, told
from memory_mcp.context.hooks.journal import Journal, log_file, state_folder
from memory_mcp.context.hooks.record import SessionRecord
from memory_mcp.domain.errors import InvalidArgumentError, MemoryMcpError, SettingsError
from memory_mcp.domain.hooks import HOOK_EVENTS, HookEvent
from memory_mcp.hooks import quick_settings
from memory_mcp.hooks.deadline import Deadline, began

if TYPE_CHECKING:
    from memory_mcp.hooks.blocks import HookBlock, HookRequest
    from memory_mcp.hooks.quick_settings import HookSettings

    Deliver = Callable[[HookBlock | None], None]
    Noting = Callable[[str], None]

LATE: Final = (
    "it was not done in time, because the store is locked, the daemon hangs, or the machine is busy; "
    "if this lasts, raise MCP_MEMORY_HOOK_START_MS or MCP_MEMORY_HOOK_PROMPT_MS"
)
SETTINGS_S: Final = {HookEvent.SESSION_START: 3.0, HookEvent.PROMPT_SUBMIT: 0.25}
"""When a hook gives up where `settings` must be asked for what is not plain, which takes a part of a second."""
MOST_INPUT: Final = 4_000_000
MAX_QUERY: Final = 4_000
"""Characters of a prompt that are searched for."""
USAGE: Final = f"usage: memory-mcp hook {'|'.join(HookEvent)} --client {'|'.join(HOOK_EVENTS)} [--namespace NAME]"


class HookCall(NamedTuple):
    """What the command line says."""

    event: HookEvent
    client: str
    namespace: str | None = None


def parsed(words: Sequence[str]) -> HookCall | None:
    """Return the call that the words after `hook` make; None if they make none."""
    parts = [words[0], *chain.from_iterable(word.split("=", 1) if word[:2] == "--" else [word] for word in words[1:])]
    options = dict(zip(parts[1::2], parts[2::2], strict=False))
    fits = len(parts) % 2 == 1 and parts[0] in list(HookEvent) and options.keys() <= {"--client", "--namespace"}
    if not fits or options.get("--client") not in HOOK_EVENTS:
        return None
    return HookCall(HookEvent(words[0]), options["--client"], options.get("--namespace"))


def main(words: Sequence[str]) -> bool:
    """Run what the words after `hook` say; say whether they did not ask for help."""
    if not words or {"-h", "--help"} & set(words):
        return False
    if (call := parsed(words)) is None:  # a code that tells of it would stop the client's session
        _say(f"{' '.join(words)} is not a hook; {USAGE}")
    else:
        run(call)
    return True


def run(call: HookCall) -> int:
    """Run one hook and return 0, whatever happens."""
    begin = began()

    def note(outcome: str, cause: str = "") -> None:
        took_ms = round(1000 * (time.monotonic() - begin))
        with suppress(Exception):  # nobody is left to tell; there may be no home folder
            Journal(log_file()).note(call.client, call.event, outcome, took_ms=took_ms, cause=cause)
        if cause:
            _say(f"hook {call.event}: {cause}")

    deadline = Deadline(begin + SETTINGS_S[HookEvent.SESSION_START], lambda: note("failed", LATE))
    try:
        if (settings := quick_settings.plain()) is None:
            deadline.end = begin + SETTINGS_S[call.event]
            settings = quick_settings.whole()
        deadline.end = begin + _limit_s(call, settings)
        _answer(call, settings, deadline, note)
    except MemoryMcpError as error:
        note("failed", error.with_fix())
    except Exception as error:  # noqa: BLE001 - the outermost net: a hook that fails may block its client's prompt
        note("failed", f"an unexpected {type(error).__name__}; report the bug")
    return 0


def _say(sentence: str) -> None:
    """Say it on stderr, which a client may have closed."""
    with suppress(AttributeError, OSError, ValueError):
        sys.stderr.write(f"memory-mcp: {sentence}\n")
        sys.stderr.flush()


def _limit_s(call: HookCall, settings: HookSettings) -> float:
    is_start = call.event is HookEvent.SESSION_START
    return (settings.hook_start_ms if is_start else settings.hook_prompt_ms) / 1000


def _answer(call: HookCall, settings: HookSettings, deadline: Deadline, note: Noting) -> None:
    """Print what the client's session should be told."""
    from memory_mcp.hooks.blocks import HookRequest  # noqa: PLC0415 - inside the net

    given = _input()
    is_start = call.event is HookEvent.SESSION_START
    if settings.is_plain and not settings.sqlite_path.is_file():
        note("nothing")
        return
    most = settings.hook_start_chars if is_start else settings.hook_prompt_chars
    record = SessionRecord(state_folder(), call.client, given.session)
    begins = is_start and given.begins

    def printed(text: str) -> str:
        return json.dumps(answered(call.client, call.event, text), ensure_ascii=False)

    wanted = HookRequest(
        settings,
        _namespace(call.namespace or settings.namespace, given.folder),
        {} if begins else record.shown(),
        lambda text: len(printed(text)) < most,
        most,
    )

    def deliver(block: HookBlock | None) -> None:
        if block:
            deadline.put(printed(block.text))
        note("shown" if block else "nothing")
        if begins or block:
            record.add(block.shown if block else (), begins=begins)
        if is_start:
            record.prune()

    _find(wanted, given, deadline, deliver, is_start=is_start)


def _input() -> HookInput:
    """Return what the client tells on stdin.

    Raises:
        InvalidArgumentError: it is no JSON object.
    """
    raw = b"" if sys.stdin is None else sys.stdin.buffer.read(MOST_INPUT)
    try:
        given = json.loads(raw) if raw.strip() else {}
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        raise InvalidArgumentError(
            "stdin", "is not a JSON object; a client runs this command and tells it of the session"
        )
    return told(given)


def _namespace(named: str, folder: Path | None) -> str:
    from memory_mcp.domain.names import nfc  # noqa: PLC0415 - inside the net
    from memory_mcp.domain.principal import AUTO  # noqa: PLC0415 - likewise

    if named != AUTO:
        return nfc(named)
    from memory_mcp.context.project import here  # noqa: PLC0415 - only for a project

    return here(() if folder is None else (folder,)).namespace


def _find(wanted: HookRequest, given: HookInput, deadline: Deadline, deliver: Deliver, *, is_start: bool) -> None:
    """Deliver what there is to tell."""
    from memory_mcp.hooks import blocks  # noqa: PLC0415 - inside the net

    prompt = given.prompt.encode("utf-8", "replace").decode().strip()[:MAX_QUERY]
    if not is_start and (not prompt or re.match(r"/[\w:-]+(\s|$)", prompt)):  # a command of the client's own
        deliver(None)
        return
    is_plain = wanted.settings.is_plain
    if is_start and (is_plain or wanted.settings.postgres_url) and not wanted.settings.hook_sources:
        deliver(blocks.at_start(wanted, deadline.left_s()))
        return
    if not (is_start or is_plain):
        raise SettingsError("hook prompt-submit reads the SQLite store alone; take it out of the client's hooks")
    import asyncio  # noqa: PLC0415 - 30 ms, which a session's start does not need

    if is_start:
        asyncio.run(blocks.from_everywhere(wanted, deadline.left_s, deliver))
    else:
        deliver(asyncio.run(blocks.with_prompt(wanted, prompt, deadline.left_s)))
