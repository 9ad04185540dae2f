"""What the front and its reader process say to each other: JSON after its length, with descriptors beside it."""

from __future__ import annotations

import json
import socket
import struct
from dataclasses import asdict, dataclass, field
from typing import Final

LENGTH: Final = struct.Struct("!I")
"""Before each message, and before each frame of a child: how many bytes follow."""
MAX_MESSAGE: Final = 64 * 1024
_DESCRIPTORS: Final = 2


@dataclass(frozen=True, slots=True)
class ReadingLimits:
    """What reading one document may cost."""

    cpu_s: int = 60
    wait_s: float = 120.0
    """How long the front waits for items altogether; the time in which it works on them does not count."""
    memory_bytes: int = 1 << 30
    """Of address space; on macOS of memory in use."""
    output_bytes: int = 256 << 20


@dataclass(frozen=True, slots=True)
class Layers:
    """What a box is made of."""

    landlock: int = 0
    """Its ABI; 0 where there is none."""
    seccomp: bool = False
    seatbelt: bool = False
    """macOS's `sandbox-exec`."""

    @property
    def are_enough(self) -> bool:
        """Whether they refuse the network and every write; Landlock alone leaves sockets."""
        return self.seccomp or self.seatbelt

    def __str__(self) -> str:
        """Name the layers that are on."""
        named = {f"Landlock ABI {self.landlock}": self.landlock, "seccomp": self.seccomp, "sandbox-exec": self.seatbelt}
        return ", ".join([name for name, is_on in named.items() if is_on] + ["resource limits"])


@dataclass(frozen=True, slots=True)
class Greeting:
    """The reader process's first word."""

    layers: Layers
    trouble: str = ""
    """Why it cannot read: a sentence with what fixes it."""


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """Read a document; its descriptor, and that of the pipe for the frames, come with it."""

    number: int
    name: str
    media_type: str | None
    size: int
    unsandboxed: bool = False
    limits: ReadingLimits = field(default_factory=ReadingLimits)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a document's child ended."""

    number: int
    signal: int
    """0 where none killed it."""
    code: int
    cpu_s: float
    over_memory: bool = False
    """Whether the reader process killed it for its memory, where the system does not refuse more."""


def greeting(message: bytes) -> Greeting:
    """Return a greeting; what the other side says is trusted, as it never looks at a document."""
    said = json.loads(message)
    return Greeting(Layers(**said["layers"]), said["trouble"])


def request(message: bytes) -> ReadRequest | int:
    """Return a request, or the number of the one to give up."""
    said = json.loads(message)
    return said if isinstance(said, int) else ReadRequest(**said | {"limits": ReadingLimits(**said["limits"])})


def ended(message: bytes) -> Ended:
    return Ended(**json.loads(message))


def packed(said: Greeting | ReadRequest | Ended | int) -> bytes:
    """Return a message with its length before it."""
    content = json.dumps(said if isinstance(said, int) else asdict(said)).encode()
    return LENGTH.pack(len(content)) + content


def receive(connection: socket.socket) -> tuple[bytes, list[int]]:
    """Wait for a message; return it with its descriptors. It is empty at the end of the connection."""
    length, descriptors, *_ = socket.recv_fds(connection, LENGTH.size, _DESCRIPTORS)
    return _exactly(connection, *LENGTH.unpack(length)) if length else b"", descriptors


def _exactly(connection: socket.socket, size: int) -> bytes:
    content = b""
    while len(content) < size and (more := connection.recv(size - len(content))):
        content += more
    return content
