"""What a daemon on a network is told by its settings, and refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from embedder_daemon.errors import AddressError
from embedder_daemon.runtime.listening import place_of
from embedder_daemon.settings import DaemonSettings
from tests.certificates import Authority

NAMES = "front.test"


Files = dict[str, Any]  # settings of several types


@pytest.fixture
def tls(tmp_path: Path) -> Files:
    """Make the files."""
    files = Authority(tmp_path).make("daemon", "daemon.test")
    return {"tls_cert": files.cert, "tls_key": files.key, "tls_client_ca": files.ca}


@pytest.mark.parametrize("address", ["0.0.0.0:50051", "127.0.0.1:50051", "[::]:50051", "gpu-1.example.org:50051"])
def test_a_network_wants_tls_and_names(tls: Files, address: str) -> None:
    """All files of it, and at least one name that may call."""
    place_of(DaemonSettings(address=address, **tls, tls_allowed_names=NAMES))
    with pytest.raises(AddressError, match="EMBEDDER_TLS_CERT, EMBEDDER_TLS_KEY and EMBEDDER_TLS_CLIENT_CA"):
        place_of(DaemonSettings(address=address))
    with pytest.raises(AddressError, match="EMBEDDER_TLS_ALLOWED_NAMES"):
        place_of(DaemonSettings(address=address, **tls, tls_allowed_names=" , "))
    for left_out in tls:
        some = {name: path for name, path in tls.items() if name != left_out}
        with pytest.raises(AddressError, match="belong together"):
            place_of(DaemonSettings(address=address, **some, tls_allowed_names=NAMES))
    with pytest.raises(AddressError, match=r"daemon\.key is not the key"):
        place_of(DaemonSettings(address=address, **(tls | {"tls_cert": tls["tls_client_ca"]}), tls_allowed_names=NAMES))


@pytest.mark.parametrize("host", ["10.0.0.1", "[::]", "192.168.1.2", "example.org"])
def test_only_the_loopback_does_without_tls(host: str) -> None:
    """And only where that was said."""
    for address in ("127.0.0.1:50051", "[::1]:50051", "localhost:50051"):
        place_of(DaemonSettings(address=address, insecure_loopback=True))
    with pytest.raises(AddressError, match="EMBEDDER_INSECURE_LOOPBACK does not fit"):
        place_of(DaemonSettings(address=f"{host}:50051", insecure_loopback=True))


@pytest.mark.parametrize("address", ["127.0.0.1:0", "127.0.0.1:70000", "127.0.0.1:x", "::1:50051", ":50051"])
def test_what_is_no_port_is_refused(address: str) -> None:
    """An IPv6 address stands in brackets."""
    with pytest.raises(AddressError, match="is not HOST:PORT"):
        place_of(DaemonSettings(address=address, insecure_loopback=True))
