"""The daemon's model: found on this disk or downloaded once, and pinned to what was found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from memory_mcp.provision.errors import ProvisionError
from memory_mcp.provision.process import Runner
from memory_mcp.provision.progress import InstallProgress
from memory_mcp.provision.versions import Environment

VARIABLE: Final = "EMBEDDER_MODEL"
UNUSED: Final = ("*.bin", "*.h5", "*.msgpack", "*.ot", "*.ckpt", "onnx/*", "openvino/*")
"""Weights in formats that no engine here reads from the hub."""


@dataclass(frozen=True)
class Hub:
    """The disk's copy of the hub, as an environment's own programs see it."""

    environment: Environment
    runner: Runner
    progress: InstallProgress
    log: Path

    def pinned(self, choices: Mapping[str, str]) -> dict[str, str]:
        """Return the choices with the model as the folder of one revision.

        Raises:
            ProvisionError: the model is neither on this disk nor to be had, or no engine can serve it.
        """
        model = choices.get(VARIABLE)
        if not model:
            return dict(choices)
        try:
            folder = self._find(model)
        except ProvisionError:
            if not _is_id(model):
                raise
            self._download(model)
            folder = self._find(model)
        if folder != model:
            self.progress.say(f"the model {model} is {folder} from now on, whatever the hub says later")
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
                f"the model {model} cannot be downloaded: {error}; correct its name, see that the network is there, "
                "or name a folder with --model"
            ) from error


def _is_id(model: str) -> bool:
    """Whether it looks like owner/name or owner/name@revision; the daemon's own check comes with `_find`."""
    return model.count("/") == 1 and not model.startswith(("/", ".", "~"))
