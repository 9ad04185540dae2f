"""The daemon's model: found on this disk or downloaded once, and pinned to what was found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from memory_mcp.provision.errors import ProvisionError
from memory_mcp.provision.process import Runner
from memory_mcp.provision.versions import Environment

VARIABLE: Final = "EMBEDDER_MODEL"
BUNDLED: Final = "all-MiniLM-L6-v2"
UNUSED: Final = ("*.bin", "*.h5", "*.msgpack", "*.ot", "*.ckpt", "onnx/*", "openvino/*")
"""Weights in formats that no engine here reads from the hub."""


def pinned(
    environment: Environment, choices: Mapping[str, str], runner: Runner, say: Callable[[str], None]
) -> dict[str, str]:
    """Return the choices with the model as the folder of one revision.

    Raises:
        ProvisionError: the model is neither on this disk nor to be had, or no engine can serve it.
    """
    model = choices.get(VARIABLE)
    if not model:
        return dict(choices)
    try:
        folder = _find(environment, model, runner)
    except ProvisionError:
        if not _is_id(model):
            raise
        _download(environment, model, runner, say)
        folder = _find(environment, model, runner)
    if folder != model:
        say(f"the model {model} is {folder} from now on, whatever the hub says later")
    return {**choices, VARIABLE: folder}


def _find(environment: Environment, model: str, runner: Runner) -> str:
    return runner.output(str(environment.python), "-I", "-m", "embedder_daemon.pin", model).strip()


def _is_id(model: str) -> bool:
    """Whether it looks like owner/name or owner/name@revision; the daemon's own check comes with `_find`."""
    return model.count("/") == 1 and not model.startswith(("/", ".", "~"))


def _download(environment: Environment, model: str, runner: Runner, say: Callable[[str], None]) -> None:
    say(f"downloading the model {model} from the hub, because it is not on this disk")
    repository, _, revision = model.partition("@")
    command = [str(environment.python), "-I", "-m", "huggingface_hub.cli.hf", "download", repository]
    command += ["--revision", revision] if revision else []
    try:
        runner.stream(*command, *(word for pattern in UNUSED for word in ("--exclude", pattern)))
    except ProvisionError as error:
        raise ProvisionError(
            f"the model {model} cannot be downloaded (the lines above say why): mend its name or the network, "
            "or name a folder with --model"
        ) from error
