"""The daemon's model: found on this disk or downloaded once, then pinned to that revision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from memory_common.pins import MULTILINGUAL
from memory_mcp.provision.errors import ProvisionError
from memory_mcp.provision.process import Runner
from memory_mcp.provision.progress import InstallProgress
from memory_mcp.provision.versions import Environment

VARIABLE: Final = "EMBEDDER_MODEL"
UNUSED: Final = ("*.bin", "*.h5", "*.msgpack", "*.ot", "*.ckpt", "onnx/*", "openvino/*")
"""Files on the hub with weights in formats that no engine here reads."""


@dataclass(frozen=True)
class Hub:
    """The hub's cache on this disk, as an environment's own programs see it."""

    environment: Environment
    runner: Runner
    progress: InstallProgress
    log: Path

    def pinned(self, choices: Mapping[str, str]) -> dict[str, str]:
        """Return the choices with the model replaced by the folder of one revision.

        Raises:
            ProvisionError: the model is not on this disk and cannot be downloaded, or no engine can serve it.
        """
        model = choices.get(VARIABLE)
        if not model or model == MULTILINGUAL:  # which the environment holds, under digests of its own
            return dict(choices)
        try:
            folder = self._find(model)
        except ProvisionError:
            if not _is_id(model):
                raise
            self._download(model)
            folder = self._find(model)
        if folder != model:
            self.progress.say(f"the model {model} is pinned to {folder}; later changes on the hub do not affect it")
        return {**choices, VARIABLE: folder}

    def _find(self, model: str) -> str:
        return self.runner.output(
            str(self.environment.python), "-I", "-m", "embedder_daemon.resolve_model", model
        ).strip()

    def _download(self, model: str) -> None:
        repository, _, revision = model.partition("@")
        command = [str(self.environment.python), "-I", "-m", "huggingface_hub.cli.hf", "download", repository]
        command += ["--revision", revision] if revision else []
        command += [word for pattern in UNUSED for word in ("--exclude", pattern)]
        try:
            with self.progress.step(f"downloading the model {model} from the hub") as hear:
                self.runner.record(*command, log=self.log, hear=hear)
        except ProvisionError as error:
            raise ProvisionError(
                f"the model {model} cannot be downloaded: {error}; check its name and the network, "
                "or give a folder with --model"
            ) from error


def _is_id(model: str) -> bool:
    """Whether it looks like owner/name or owner/name@revision; `_find` runs the daemon's own check."""
    return model.count("/") == 1 and not model.startswith(("/", ".", "~"))
