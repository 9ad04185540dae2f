"""A port of a network: mutual TLS, or the loopback without it; one daemon a port."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, TypeVar, cast

import grpc
from embedder_api.v1.address import host_and_port, is_loopback
from platformdirs import user_data_path

from embedder_daemon import logs
from embedder_daemon.errors import AddressError, DaemonError
from embedder_daemon.settings import DaemonSettings
from memory_common.tls_files import RenewedTls, TlsFiles

if TYPE_CHECKING:
    from grpc import RpcMethodHandler as Handler  # generic in the stubs alone

AskedT = TypeVar("AskedT")
AnsweredT = TypeVar("AnsweredT")
CallerContext = grpc.aio.ServicerContext[object, object]
Refuse = Callable[[str, CallerContext], Awaitable[None]]

_GRACE_S: Final = 30
"""How long calls of a connection that has aged may take: longer than any caller waits."""
_PING_S: Final = 5
"""How often a client may ask whether the connection still stands."""


class Port:
    """See `runtime.listening.Place`."""

    def __init__(self, settings: DaemonSettings) -> None:
        """Look whether the settings fit together.

        Raises:
            AddressError: they do not.
        """
        self._address = settings.address
        try:
            self._host, port = host_and_port(settings.address)
            self._tls = RenewedTls(files) if (files := _files(settings)) else None
        except ValueError as error:
            raise AddressError(f"{error}: fix EMBEDDER_ADDRESS or EMBEDDER_TLS_*") from error
        self.beside = user_data_path("memory-mcp") / f"embedder-{port}"
        self.name = f"{socket.gethostname()}:{port}"
        self.names = frozenset(name.strip() for name in settings.tls_allowed_names.split(",") if name.strip())
        self._check(settings)
        age_ms = int(1_000 * settings.max_connection_age_s)
        self.options: tuple[tuple[str, int], ...] = (
            ("grpc.so_reuseport", 0),
            ("grpc.max_connection_age_ms", age_ms),
            ("grpc.max_connection_age_grace_ms", 1_000 * _GRACE_S),
            ("grpc.http2.min_recv_ping_interval_without_data_ms", 1_000 * _PING_S),
            ("grpc.keepalive_permit_without_calls", 1),
        )

    def _check(self, settings: DaemonSettings) -> None:
        if self._tls is not None:
            if not self.names:
                raise AddressError(
                    "nobody may call: list the names of clients' certificates in EMBEDDER_TLS_ALLOWED_NAMES"
                )
        elif not settings.insecure_loopback:
            raise AddressError(
                f"{self._address} is a network's: give EMBEDDER_TLS_CERT, EMBEDDER_TLS_KEY and EMBEDDER_TLS_CLIENT_CA "
                "(on the loopback, EMBEDDER_INSECURE_LOOPBACK=1 does without)"
            )
        elif not is_loopback(self._host):
            raise AddressError(
                f"EMBEDDER_INSECURE_LOOPBACK does not fit {self._address}: listen on 127.0.0.1, or use TLS"
            )

    def check_way(self) -> None:
        """Do nothing: `bind` finds what is in the way."""

    def bind(self, server: grpc.aio.Server) -> None:
        """Listen.

        Raises:
            AddressError: another program has the port, or the host is not this machine's.
        """
        try:
            if self._tls is None:
                server.add_insecure_port(self._address)
            else:
                server.add_secure_port(self._address, self._credentials(self._tls))
        except RuntimeError as error:
            raise AddressError(
                f"cannot listen on {self._address}: another program does, or it is no address of this machine; "
                "choose another EMBEDDER_ADDRESS"
            ) from error

    def _credentials(self, tls: RenewedTls) -> grpc.ServerCredentials:
        def configuration() -> grpc.ServerCertificateConfiguration:
            cert, key, ca = tls.material
            return grpc.ssl_server_certificate_configuration([(key, cert)], root_certificates=ca)

        def renewed() -> grpc.ServerCertificateConfiguration | None:
            """Return what a new connection is to use; None keeps what there is."""
            if not tls.renew():
                return None
            logs.get().info("the certificate was renewed", file=str(tls.files.cert))
            return configuration()

        return grpc.dynamic_ssl_server_credentials(
            configuration(),
            renewed,  # type: ignore[arg-type]  # documented: None keeps what there is
            require_client_authentication=True,
        )

    def interceptors(self, refuse: Refuse) -> tuple[grpc.aio.ServerInterceptor, ...]:
        """Return what lets no caller through whose certificate has none of the names."""
        return () if self._tls is None else (OnlyNamed(self.names, refuse),)

    async def until_lost(self) -> DaemonError:
        """Wait for ever: nobody takes a port from a process."""
        await asyncio.Event().wait()
        raise AssertionError

    def remove(self) -> None:
        """Do nothing: the kernel removes a port."""


class OnlyNamed(grpc.aio.ServerInterceptor):
    """Refuses calls of clients whose certificate has none of these names."""

    def __init__(self, names: frozenset[str], refuse: Refuse) -> None:
        self._names = names
        self._refuse = refuse

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler[AskedT, AnsweredT] | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler[AskedT, AnsweredT] | None:
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        # What answers is a coroutine, which the stubs do not know.
        answer = cast(
            "Callable[[AskedT, CallerContext], Awaitable[AnsweredT]]", handler.unary_stream or handler.unary_unary
        )

        async def answered(request: AskedT, context: CallerContext) -> AnsweredT:
            if self._names.isdisjoint(names_of(context)):
                await self._refuse(_sentence(context), context)
            return await answer(request, context)

        make = grpc.unary_stream_rpc_method_handler if handler.unary_stream else grpc.unary_unary_rpc_method_handler
        made = cast("Callable[..., Handler[AskedT, AnsweredT]]", make)
        return made(answered, handler.request_deserializer, handler.response_serializer)


def names_of(context: CallerContext) -> set[str]:
    """Return the names of the caller's certificate: the subject's, its DNS names and its URIs."""
    about = context.auth_context()
    keys = ("x509_common_name", "x509_subject_alternative_name")
    return {name.decode(errors="replace") for key in keys for name in about.get(key, ())}


def _sentence(context: CallerContext) -> str:
    said = ", ".join(sorted(names_of(context))) or "no name"
    return f"the certificate of the caller has {said}, and none of these may call"


def _files(settings: DaemonSettings) -> TlsFiles | None:
    """Return the files, if TLS is wanted.

    Raises:
        ValueError: one is lacking.
    """
    cert, key, ca = settings.tls_cert, settings.tls_key, settings.tls_client_ca
    if cert and key and ca:
        return TlsFiles(cert, key, ca)
    if cert or key or ca:
        raise ValueError("EMBEDDER_TLS_CERT, EMBEDDER_TLS_KEY and EMBEDDER_TLS_CLIENT_CA belong together")
    return None
