"""Which paths may be asked for by an address, whatever the host names of this server are."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection

from starlette.requests import Request
from starlette.responses import Response

from memory_mcp.server.http.guard import CheckNames


def also_by_address(check_names: CheckNames, paths: Collection[str]) -> CheckNames:
    """Return a check that lets orchestrators and Prometheus ask for these paths by the address of a pod.

    The check is there for pages whose name was bent to this server: they send that name as the Host. An address cannot
    be bent. A request that names the page that it comes from is checked as ever.
    """

    async def check(request: Request) -> Response | None:
        if request.scope["path"].rstrip("/") in paths and _is_by_address(request):
            return None
        return await check_names(request)

    return check


def _is_by_address(request: Request) -> bool:
    try:
        ipaddress.ip_address((request.url.hostname or "").strip("[]"))
    except ValueError:
        return False
    return "origin" not in request.headers
