"""Reports the daemon's state to systemd, see sd_notify(3); does nothing without systemd."""

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
    """Send one message; ignores a supervisor that does not listen."""
    if not (address := supervisor().notify):
        return
    if address.startswith("@"):  # an abstract socket of Linux
        address = "\0" + address[1:]
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as way:
        way.settimeout(0)
        way.sendto("\n".join(assignments).encode(), address)


async def beat() -> None:
    """Send keep-alives from the event loop, twice as often as requested."""
    if not (within_s := supervisor().watchdog_s):
        return
    while True:
        tell(ALIVE)
        await asyncio.sleep(within_s / 2)
