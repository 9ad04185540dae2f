"""Jobs that read files: how far they are, and what went wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from memory_mcp.documents.ingesting import Ingesting
from memory_mcp.domain.documents import BY_CLIENT, BY_WATCH
from memory_mcp.domain.jobs import IngestJob, JobFile, JobFileState
from memory_mcp.domain.principal import Scope
from memory_mcp.server.web.narrowing import namespaces
from memory_mcp.server.web.places import place
from memory_mcp.server.web.texts import text
from memory_mcp.server.web.view import Action, Answer, PageView, Visit
from memory_mcp.tools.base import Arguments
from memory_mcp.tools.fields import Namespace
from memory_mcp.tools.ingest import ingesting_of
from memory_mcp.tools.services import Services

SHOWN: Final = 50
LINES: Final = 20
"""Failed files of each job."""
WITH_LINES: Final = 10
"""Jobs that show theirs."""


class JobsQuery(Arguments):
    namespace: Namespace | None = None


@dataclass(frozen=True, slots=True)
class ShownJob:
    """A job with its first failed files."""

    job: IngestJob
    failed: Sequence[JobFile]

    @property
    def subject(self) -> str:
        """What it reads."""
        new = self.job.new
        return ", ".join(map(place, new.folders)) or ", ".join(new.roots)

    @property
    def by(self) -> str:
        """Who asked for it."""
        return self.job.new.asked_by.removeprefix(BY_CLIENT)

    @property
    def is_of_watch(self) -> bool:
        return self.job.new.asked_by.startswith(BY_WATCH)

    def count(self, state: str) -> int:
        return self.job.counts.get(JobFileState(state), 0)

    @property
    def more_failed(self) -> int:
        return self.count("failed") - len(self.failed)


async def load(visit: Visit, query: JobsQuery) -> Mapping[str, object]:
    namespace = visit.reach.of(query.namespace)
    shown, spaces = await visit.run("jobs", partial(_shown, visit, namespace))
    return {
        "jobs": shown,
        "namespaces": spaces,
        "namespace": namespace,
        "is_running": any(not each.job.state.is_final for each in shown or ()),
        "place": place,
        "may_write": visit.may(Scope.WRITE),
    }


async def _shown(visit: Visit, namespace: str, services: Services) -> tuple[list[ShownJob] | None, list[str]]:
    if (ingesting := services.ingesting) is None:
        return None, []
    jobs = await ingesting.jobs(namespace, SHOWN)
    failing = [job.id for job in jobs if job.counts.get(JobFileState.FAILED)][:WITH_LINES]
    shown = [ShownJob(job, await _failed(ingesting, job) if job.id in failing else ()) for job in jobs]
    return shown, await namespaces(services, visit.reach)


async def _failed(ingesting: Ingesting, job: IngestJob) -> Sequence[JobFile]:
    return await ingesting.job_lines(job.id, JobFileState.FAILED, -1, LINES)


class JobId(Arguments):
    id: str


async def cancel(visit: Visit, given: JobId) -> Answer:
    """End a job, whichever process runs it; what was read stays."""

    async def work(services: Services) -> IngestJob:
        return await ingesting_of(services).cancel(given.id, visit.reach)

    job = await visit.run("jobs", work, (Scope.WRITE,), "write")
    return Answer(text("jobs.cancelled", done=job.finished, files=job.files))


JOBS: Final = PageView(
    "jobs", "/jobs", JobsQuery, load, script=True, parts=("list",), actions=(Action("jobs.cancel", JobId, cancel),)
)
