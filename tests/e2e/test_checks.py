"""A check that belongs to both views is shown by both programs, from one registration."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.client import PATIENCE_S, RawClient
from tests.fakes.daemon import FakeDaemon

WITH_AN_INDEX = """
from memory_mcp.storage import checks
from memory_mcp.domain.checks import View
from memory_mcp.domain.models import Condition, Finding

register = checks.register

def register_both(registry, store):
    async def look(inquiry):
        space = await store.read(lambda it: it.space())
        return Finding(Condition.DEGRADED, "old", f"the index is of space {space}", "build it again")

    register(registry, store)
    registry.add("index", look, view=View.LIVE | View.MACHINE)

checks.register = register_both

from memory_mcp.__main__ import main
main()
"""
"""The program, whose store has a part more."""


@pytest.fixture
def program(tmp_path: Path) -> list[str]:
    """Write the program, and return the command that runs it."""
    script = tmp_path / "program.py"
    script.write_text(WITH_AN_INDEX)
    return [sys.executable, str(script)]


async def test_memory_health_and_doctor_show_a_check_of_both_views(
    program: list[str], environment: dict[str, str], daemon: FakeDaemon
) -> None:
    """With the same cause and fix; the front's other parts are there as well, and so are doctor's."""
    client = RawClient([*program, "serve"], environment)
    await client.initialize()
    live = await client.tool("memory_health")
    assert await client.end() == 0
    assert (live["status"], live["index"]["fix"]) == ("degraded", "build it again")
    assert live.keys() - {"status", "index"} == {
        "daemon",
        "breaker",
        "space",
        "store",
        "queue",
        "upkeep",
        "folders",
        "background",
    }

    done = subprocess.run(
        [*program, "doctor", "--json"], env=environment, capture_output=True, check=False, timeout=PATIENCE_S
    )
    machine = json.loads(done.stdout)["checks"]
    assert machine["index"]["cause"] == live["index"]["cause"]
    assert {"settings", "daemon", "store", "backups", "clients"} <= machine.keys()
    assert "upkeep" not in machine


def test_doctor_leaves_out_a_check_of_both_views_where_the_settings_do_not_fit(
    program: list[str], environment: dict[str, str]
) -> None:
    """Like whatever begins with them: it would judge the store of the defaults."""
    wrong = environment | {"MCP_MEMORY_BREAKER_OPEN_S": "soon"}
    done = subprocess.run([*program, "doctor", "--json"], env=wrong, capture_output=True, check=False)
    checks = json.loads(done.stdout)["checks"]
    assert checks["settings"]["condition"] == "failed"
    assert (checks["index"]["condition"], checks["index"]["detail"]) == ("skipped", "see settings")
