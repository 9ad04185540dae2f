"""The connection to the daemon: one on its socket, or to each daemon that a name of the network leads to.

On a network gRPC balances: calls go to the daemons in turns (`round_robin`), a daemon that is gone is left out and the
name is asked again, and a call that failed because its daemon went is made again at another one, which is safe because
an embedding changes nothing. Nothing is asked twice at once.
"""

from __future__ import annotations

import asyncio
import json
import time
from typing import Final, NamedTuple

import grpc
import grpc.aio
import tenacity
from embedder_api.v1 import address as addresses
from embedder_api.v1 import embedder_pb2 as pb
from embedder_api.v1.contract import CHANNEL_OPTIONS, SERVICE_NAME
from embedder_api.v1.embedder_pb2_grpc import EmbedderStub
from grpc import ChannelConnectivity

from memory_common.tls_files import RenewedTls, TlsFiles
from memory_mcp.domain.errors import EmbedderError
from memory_mcp.logger import Logger

CONNECT_ATTEMPTS: Final = 3
START_DAEMON: Final = (
    "start the daemon: `memory-mcp daemon start`, or install it first: `memory-mcp daemon install` "
    "(in a checkout `make run`)"
)
LOOK_AT_LOG: Final = "look at the daemon's log (`memory-mcp daemon logs`), or restart it: `memory-mcp daemon restart`"
OWN_ADDRESS: Final = (
    "choose your own address with MCP_MEMORY_EMBEDDER_ADDRESS and EMBEDDER_ADDRESS, for all clients and the daemon"
)
LOOK_AT_FILES: Final = "correct MCP_MEMORY_EMBEDDER_TLS_CERT, _KEY and _CA, or the files"
START_DAEMONS: Final = "start daemons there (EMBEDDER_ADDRESS), or correct MCP_MEMORY_EMBEDDER_ADDRESS"
LOOK_AT_TLS: Final = (
    "see that the daemons' certificate has this name and is signed by MCP_MEMORY_EMBEDDER_TLS_CA, that ours is signed "
    "by their EMBEDDER_TLS_CLIENT_CA, and that neither has expired"
)
WHY_S: Final = 0.5


class Why(NamedTuple):
    """Why there is no connection to a network's daemons."""

    cause: str
    fix: str


NOBODY: Final = Why("no daemon listens on {address}", START_DAEMONS)
WHYS: Final = {
    "resolving": Why("the name in {address} is not known", START_DAEMONS),
    "verification": Why("{address} is not trusted: its certificate has another name", LOOK_AT_TLS),
    "handshake": Why("{address} is not trusted: another authority signed its certificate, or it has none", LOOK_AT_TLS),
    "socket closed": Why("{address} wants a certificate that it trusts, and does not trust ours", LOOK_AT_TLS),
}
"""By a word of gRPC's own message, which names machines and is not passed on."""

RECONNECT_OPTIONS: Final = (  # otherwise a channel that lost its server takes 20 s to notice its return
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 5000),  # time limit of an attempt; a busy daemon is slow, not absent
    ("grpc.max_reconnect_backoff_ms", 1000),
)
SERVICE_CONFIG: Final = json.dumps(
    {
        "loadBalancingConfig": [{"round_robin": {}}],
        "methodConfig": [
            {
                "name": [{"service": SERVICE_NAME, "method": method} for method in ("Embed", "Info")],
                "retryPolicy": {
                    "maxAttempts": 4,
                    "initialBackoff": "0.02s",
                    "maxBackoff": "0.2s",
                    "backoffMultiplier": 2,
                    "retryableStatusCodes": ["UNAVAILABLE"],
                },
            }
        ],
    }
)
NETWORK_OPTIONS: Final = (
    ("grpc.service_config", SERVICE_CONFIG),
    ("grpc.service_config_disable_resolution", 1),  # the name's owner does not choose how we call
    ("grpc.dns_min_time_between_resolutions_ms", 1_000),
    ("grpc.keepalive_time_ms", 10_000),  # a machine that vanished without a word is noticed
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.use_local_subchannel_pool", 1),  # a renewed certificate gets connections of its own
)
LOOK_EVERY_S: Final = 1.0
"""How often the files of certificates are looked at."""
OLD_CALLS_S: Final = 60.0
"""How long calls on the connections of the old certificate may take."""

log = Logger(__name__)


class NotConnectedError(EmbedderError):
    """The daemon's socket refused the connection, so the call was certainly not accepted."""


class DaemonChannel:
    """The channel to an address; it connects at the first call."""

    def __init__(self, address: str, tls: TlsFiles | None = None) -> None:
        self.address = address
        self.is_new = True
        """Whether the daemon that answers next may be another one than before."""
        self._files = tls
        self._tls: RenewedTls | None = None
        self._looked_at = time.monotonic()
        self._closing: set[asyncio.Task[None]] = set()
        if tls is None:
            self._open()

    def _open(self) -> None:
        network = NETWORK_OPTIONS if addresses.is_network(self.address) else ()
        options = (*CHANNEL_OPTIONS, *RECONNECT_OPTIONS, *network)
        target = addresses.target(self.address)
        if self._tls is None:
            self._channel = grpc.aio.insecure_channel(target, options=options)
        else:
            cert, key, ca = self._tls.material
            self._channel = grpc.aio.secure_channel(
                target, grpc.ssl_channel_credentials(ca, key, cert), options=options
            )
        self.stub = EmbedderStub(self._channel)  # type: ignore[no-untyped-call]  # generated without types

    async def ready(self, deadline: float) -> None:
        """Wait for a connection; a call that fails here was certainly not accepted; retry within the deadline.

        Raises:
            EmbedderError: there is none.
        """
        self._look_at_files()
        if self._channel.get_state() is ChannelConnectivity.READY:
            return
        async for attempt in tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception_type(NotConnectedError),
            stop=tenacity.stop_after_attempt(1 if addresses.is_network(self.address) else CONNECT_ATTEMPTS)
            | tenacity.stop_before_delay(deadline - time.monotonic()),
            wait=tenacity.wait_random(0.001, 0.008),
            reraise=True,
        ):
            with attempt:
                await self._ready_once(deadline)

    def _look_at_files(self) -> None:
        """Connect with the certificates, and anew when they were replaced; calls that run end on the old connections.

        Raises:
            EmbedderError: they cannot be read.
        """
        now = time.monotonic()
        if self._files is None or (self._tls is not None and now < self._looked_at + LOOK_EVERY_S):
            return
        self._looked_at = now
        if self._tls is None:
            try:
                self._tls = RenewedTls(self._files)
            except ValueError as error:
                raise EmbedderError(f"the certificates cannot be used: {error}", fix=LOOK_AT_FILES) from error
            self._open()
        elif self._tls.renew():
            log.info("the certificate was renewed", file=str(self._files.cert))
            task = asyncio.create_task(_close_later(self._channel))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)
            self._open()
            self.is_new = True

    async def _ready_once(self, deadline: float) -> None:
        if not addresses.is_network(self.address) and addresses.is_anothers(addresses.socket_path(self.address)):
            raise EmbedderError(f"the folder of {self.address} belongs to another user", fix=OWN_ADDRESS)
        channel = self._channel
        try:
            async with asyncio.timeout(max(0.001, deadline - time.monotonic())):
                while (state := channel.get_state(try_to_connect=True)) is not ChannelConnectivity.READY:
                    self.is_new = True
                    if state in {ChannelConnectivity.TRANSIENT_FAILURE, ChannelConnectivity.SHUTDOWN}:
                        raise await self._not_connected(deadline)
                    await channel.wait_for_state_change(state)
        except TimeoutError as error:
            if addresses.is_network(self.address):
                raise EmbedderError(f"no daemon of {self.address} answered in time", fix=START_DAEMONS) from error
            raise EmbedderError("the daemon's socket did not answer in time", fix=LOOK_AT_LOG) from error

    async def _not_connected(self, deadline: float) -> NotConnectedError:
        """Tell an absent daemon from one that does not answer, such as a stopped process."""
        if addresses.is_network(self.address):
            return await self._unreachable(min(WHY_S, max(0.01, deadline - time.monotonic())))
        if addresses.is_listened_to(addresses.socket_path(self.address)):
            return NotConnectedError(f"the daemon on {self.address} does not answer", fix=LOOK_AT_LOG)
        return NotConnectedError(f"no daemon listens on {self.address}", fix=START_DAEMON)

    async def _unreachable(self, seconds: float) -> NotConnectedError:
        """Say why gRPC has no connection, which only a call is told."""
        said = ""
        try:
            await self.stub.Stats(pb.StatsRequest(), timeout=seconds)  # is not made again, as others are
        except grpc.aio.AioRpcError as error:
            said = (error.details() or "").lower()
        why = next((why for word, why in WHYS.items() if word in said), NOBODY)
        return NotConnectedError(why.cause.format(address=self.address), fix=why.fix)

    async def close(self) -> None:
        """Close the channel."""
        for task in self._closing:
            task.cancel()
        await asyncio.gather(*self._closing, return_exceptions=True)
        if self._files is None or self._tls is not None:
            await self._channel.close()


async def _close_later(channel: grpc.aio.Channel) -> None:
    """Let calls end that have begun, or are just beginning, on a channel that is not used any more."""
    try:
        await asyncio.sleep(OLD_CALLS_S)
    finally:
        await channel.close()
