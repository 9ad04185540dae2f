"""Tells systemd how the daemon is, as sd_notify(3) says; where nobody wants to know it, nothing is told."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Final

from embedder_daemon.settings import supervisor

READY: Final = "READY=1"
STOPPING: Final = "STOPPING=1"
ALIVE: Final = "WATCHDOG=1"


def tell(*assignments: str) -> None:
    """Send one message; a supervisor that does not listen is no reason to fail."""
    if not (address := supervisor().notify):
        return
    if address.startswith("@"):  # Linux's abstract names
        address = "\0" + address[1:]
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as way:
        way.settimeout(0)
        way.sendto("\n".join(assignments).encode(), address)


async def beat() -> None:
    """Say again and again that the event loop has its turns, twice as often as is asked for."""
    if not (within_s := supervisor().watchdog_s):
        return
    while True:
        tell(ALIVE)
        await asyncio.sleep(within_s / 2)
