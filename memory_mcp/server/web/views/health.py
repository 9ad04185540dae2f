"""What works, what does not, and what fixes it; the machine's checks as each arrives."""

from __future__ import annotations

import asyncio
import json
import platform
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

from embedder_api import __version__
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response, StreamingResponse

from memory_mcp.application.latencies import OfTool
from memory_mcp.domain.daemon import DaemonStatus
from memory_mcp.domain.models import Condition, Finding
from memory_mcp.health.overview import Overview
from memory_mcp.health.registry import Registry, Report
from memory_mcp.server.web.texts import text
from memory_mcp.server.web.view import Nav, NoArguments, PageView, Stream, Visit
from memory_mcp.tools.services import Services

SECONDS: Final = 5.0
"""Of one check of the machine; longer than doctor's, because a front has others to serve meanwhile."""
PROGRAM: Final = "memory-mcp"
LANES: Final = ("interactive", "bulk")
ALL_WELL: Final = frozenset({Condition.OK, Condition.SKIPPED})


async def load(visit: Visit, query: NoArguments) -> Mapping[str, object]:
    del query
    is_admin = visit.principal.is_operator
    overview = await visit.operate("status", _overview) if is_admin else None
    report = overview.report if overview else await visit.run("health", partial(_live, visit))
    return {
        "report": report,
        "parts": _unwell(report),
        "well": [(name, finding) for name, finding in report.parts.items() if finding.condition in ALL_WELL],
        "label": _label,
        "overview": overview,
        "lanes": LANES,
        "lane_figures": _of_lanes(overview.served) if overview and overview.served else {},
        "figures": _others(overview.served) if overview and overview.served else {},
        "is_admin": is_admin,
        "versions": versions(overview) if is_admin else {PROGRAM: __version__},
        "tools": _by_tool(visit) if is_admin else (),
    }


def _unwell(report: Report) -> list[tuple[str, Finding]]:
    return [(name, finding) for name, finding in report.parts.items() if finding.condition not in ALL_WELL]


def _label(part: str) -> str:
    """Return what a part is called; one of the machine's has its own name."""
    try:
        return text(f"health.parts.{part}")
    except KeyError:
        return part.replace("_", " ").capitalize()


def _by_tool(visit: Visit) -> Sequence[OfTool]:
    return visit.dispatcher.latencies.by_tool() if visit.dispatcher.latencies else ()


async def _overview(services: Services) -> Overview:
    return await services.status.overview()


async def _live(visit: Visit, services: Services) -> Report:
    """Return what a caller may hear: a bound one of its own namespace alone."""
    return await services.health.live(visit.reach.namespace if visit.reach.bound else None, visit.principal)


def _of_lanes(served: DaemonStatus) -> Mapping[str, Mapping[str, float]]:
    """Return the daemon's counters of each lane, by kind."""
    kinds = [name.removeprefix(f"{LANES[0]}_") for name in served.counters if name.startswith(f"{LANES[0]}_")]
    return {kind: {lane: served.counters.get(f"{lane}_{kind}", 0) for lane in LANES} for kind in kinds}


def _others(served: DaemonStatus) -> Mapping[str, float]:
    return {name: value for name, value in served.counters.items() if not name.startswith(LANES)}


def versions(overview: Overview | None) -> Mapping[str, str]:
    """Return what runs here, for who may know about the machine."""
    found = {PROGRAM: __version__, "Python": platform.python_version(), "system": platform.platform(terse=True)}
    if overview and (served := overview.served):
        found |= {"daemon": served.version, "engine": f"{served.engine} {served.precision}", "model": served.model}
    return {name: value for name, value in found.items() if value.strip()}


async def series(visit: Visit, request: HttpRequest) -> Response:
    """Return the last hour's calls, minute by minute."""
    del request

    async def work(services: Services) -> dict[str, object]:
        del services
        latencies = visit.dispatcher.latencies
        slices = latencies.slices() if latencies else []
        return {
            "at": [each.at for each in slices],
            "calls": [each.calls for each in slices],
            "median_ms": [_ms(each.median_s) for each in slices],
            "p95_ms": [_ms(each.p95_s) for each in slices],
        }

    return JSONResponse(await visit.operate("latencies", work))


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(1_000 * seconds, 2)


async def checks(visit: Visit, request: HttpRequest) -> Response:
    """Make doctor's checks, and tell of each as it arrives: a line of JSON each, the report last."""
    del request
    registry = await visit.operate("doctor", _registry)
    return StreamingResponse(_findings(visit, registry), media_type="application/x-ndjson")


async def _registry(services: Services) -> Registry:
    return services.health


async def _findings(visit: Visit, registry: Registry) -> AsyncIterator[str]:
    arrived: asyncio.Queue[tuple[str, Finding] | None] = asyncio.Queue()
    parts = await asyncio.to_thread(registry.machine_parts)  # imports what looks at the machine
    yield _line({"parts": parts})
    looking = asyncio.create_task(registry.machine(SECONDS, lambda name, found: arrived.put_nowait((name, found))))
    looking.add_done_callback(lambda _: arrived.put_nowait(None))
    try:
        while (found := await arrived.get()) is not None:
            name, finding = found
            html = visit.render(
                "health.finding.html", {"name": name, "label": _label, "finding": finding, "detailed": True}
            )
            yield _line({"name": name, "condition": finding.condition.value, "html": html})
        report = await looking
        values = {"report": report, "parts": _unwell(report), "all_well": text("health.machine_well")}
        html = visit.render("health.status.html", values)
        yield _line({"html": html, "report": written(report, versions(None))})
    finally:
        looking.cancel()


def _line(fields: Mapping[str, object]) -> str:
    return json.dumps(fields) + "\n"


def written(report: Report, running: Mapping[str, str]) -> str:
    """Return a report to copy: no content, no secret, and no name of this user's folder."""
    lines = [f"memory-mcp doctor, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC: {report.status.value}"]
    lines += [f"{name} {version}" for name, version in running.items()]
    for name, finding in report.parts.items():
        fix = f" -> {finding.fix}" if finding.fix else ""
        lines.append(f"{finding.condition.value:8} {name}: {' '.join((finding.cause or finding.detail).split())}{fix}")
    return "\n".join(lines).replace(str(Path.home()), "~")


HEALTH: Final = PageView(
    "health",
    "/health",
    NoArguments,
    load,
    nav=Nav("system", "health"),
    script=True,
    parts=("now",),
    streams=(Stream("health.checks", "GET", checks), Stream("health.series", "GET", series)),
)
