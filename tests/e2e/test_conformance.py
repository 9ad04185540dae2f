"""What the protocol's own makers say of the server: their conformance suite and their Inspector, over HTTP and stdio.

Both want Node 22 and are installed by `make test-conformance`. The suite's other scenarios call the tools, prompts and
resources of a fixture server (`test_simple_text` and so on), which a server of memories does not have.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.e2e.conftest import FRONT
from tests.e2e.web import WebFront

pytestmark = pytest.mark.conformance

PROGRAMS = Path(__file__).parents[2] / ".node" / "node_modules" / ".bin"
SCENARIOS = (
    "server-initialize",
    "ping",
    "completion-complete",
    "tools-list",
    "resources-list",
    "prompts-list",
    "server-sse-multiple-streams",
)
HOOK = """
const plain = globalThis.fetch;
globalThis.fetch = (to, how = {}) => {
  const headers = new Headers(how.headers);
  headers.set('authorization', 'Bearer TOKEN');
  return plain(to, {...how, headers});
}
"""
"""The suite has no option for a header."""


def node(program: str, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a program of Node's."""
    environment = {"PATH": f"{PROGRAMS}:{os.environ['PATH']}", "HOME": os.environ["HOME"], **more}
    return subprocess.run(
        [PROGRAMS / "node", PROGRAMS / program, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_suite_is_content(serve: Callable[..., WebFront], folder: Path, scenario: str) -> None:
    """Every scenario that suits a server that is not its fixture passes, with no failure and no warning."""
    front = serve()
    script = "data:text/javascript," + quote(HOOK.replace("TOKEN", front.token("suite")))
    done = node(
        "conformance",
        *("server", "--url", front.url, "--scenario", scenario, "-o", str(folder / "out")),
        NODE_OPTIONS=f"--import {script}",
    )
    assert done.returncode == 0, done.stdout
    assert "0 failed, 0 warnings" in done.stdout


@pytest.mark.parametrize(
    "asked",
    [
        ["--method", "tools/list", "--strict"],
        ["--method", "resources/list"],
        ["--method", "resources/templates/list"],
        ["--method", "prompts/list"],
        ["--method", "resources/read", "--uri", "memory://stats"],
        ["--method", "tools/call", "--tool-name", "memory_store", "--tool-arg", "content=text"],
        ["--method", "prompts/get", "--prompt-name", "save_session"],
    ],
    ids=lambda asked: asked[1],
)
@pytest.mark.parametrize("transport", ["http", "stdio"])
def test_the_inspector_is_content(
    serve: Callable[..., WebFront], environment: dict[str, str], asked: list[str], transport: str
) -> None:
    """It understands every answer, and in its strict mode finds nothing to say of the schemas."""
    if transport == "http":
        front = serve()
        target = [front.url, "--header", f"Authorization: Bearer {front.token('inspector')}"]
    else:
        target = [str(FRONT), "serve", *(word for pair in environment.items() for word in ("-e", "=".join(pair)))]
    done = node("mcp-inspector", "--cli", *target, *asked)
    assert done.returncode == 0, done.stderr
    assert isinstance(json.loads(done.stdout), dict)
    assert "portability" not in done.stderr
