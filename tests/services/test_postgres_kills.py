"""SIGKILL of a front that ingests into a database: no document is half there, and another front finishes the job."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.front.documents.test_kills_ingesting import kill_and_finish
from tests.services.postgres import Postgres, emptied

pytestmark = pytest.mark.services


@pytest.mark.parametrize(("written", "moment"), [("whole", 9), ("whole", 40), ("in parts", 75)])
async def test_a_killed_job_is_finished_without_half_a_document(
    postgres: Postgres, tmp_path: Path, written: str, moment: int
) -> None:
    """The server ends the transaction of a front that is gone; nothing is there twice."""
    await emptied(postgres, None).close()
    await kill_and_finish(postgres.of_stores, tmp_path / "docs", written, moment)
