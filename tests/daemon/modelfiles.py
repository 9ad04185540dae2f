"""Tiny models on disk, of files that say something and weights that say nothing, and a hub's cache of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from embedder_daemon.model import discovery
from embedder_daemon.model.space import ModelFiles

COMMIT: Final = "0123456789abcdef0123456789abcdef01234567"
MODULES: Final = ("Transformer", "Pooling", "Normalize")
POOLING: Final = "1_Pooling/config.json"
SETTINGS: Final = "config_sentence_transformers.json"


def modules(*kinds: str, transformer: str = "") -> list[dict[str, str]]:
    """Return what modules.json says."""
    paths = [transformer, *(f"{place}_{kind}" for place, kind in enumerate(kinds[1:], 1))]
    return [
        {"path": path, "type": f"sentence_transformers.models.{kind}"} for path, kind in zip(paths, kinds, strict=True)
    ]


def write(folder: Path, **changed: object) -> Path:
    """Write a tiny model; a value of None leaves a file out."""
    contents: dict[str, object] = {
        "config.json": {"hidden_size": 8, "max_position_embeddings": 64, "pad_token_id": 1},
        "modules.json": modules(*MODULES),
        POOLING: {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False},
        "sentence_bert_config.json": {"max_seq_length": 32},
        SETTINGS: {"prompts": {"query": "query: ", "document": "passage: "}},
        "model.safetensors": "weights",
        "tokenizer.json": {},
    } | changed
    for name, content in contents.items():
        if content is not None:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(content if isinstance(content, str) else json.dumps(content))
    return folder


def find(folder: Path, **changed: object) -> ModelFiles:
    """Write a tiny model and read it."""
    return discovery.find(str(write(folder / "tiny", **changed)))


def write_cache(cache: Path, repository: str, **changed: object) -> Path:
    """Write a tiny model as the hub's library does, with links to blobs; returns the repository's folder."""
    base = cache / f"models--{repository.replace('/', '--')}"
    snapshot, blobs = base / "snapshots" / COMMIT, base / "blobs"
    (base / "refs").mkdir(parents=True)
    (base / "refs" / "main").write_text(COMMIT)
    write(snapshot, **changed)
    blobs.mkdir()
    for place, file in enumerate(sorted(path for path in snapshot.rglob("*") if path.is_file())):
        blob = file.rename(blobs / f"{place:064}")
        file.symlink_to(blob)
    return base
