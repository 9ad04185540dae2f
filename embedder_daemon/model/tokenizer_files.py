"""A model's tokenizer as its files define it: tokenizer.json, or the vocabulary of a plain BERT tokenizer."""

from __future__ import annotations

import hashlib
import json
from typing import Final

from embedder_daemon.errors import ModelDamagedError
from embedder_daemon.model.folder import ModelFolder

FILE: Final = "tokenizer.json"
_CONFIG: Final = "tokenizer_config.json"
_VOCABULARY: Final = "vocab.txt"
_BERT: Final = frozenset(
    {"BertTokenizer", "DistilBertTokenizer", "ElectraTokenizer", "LayoutLMTokenizer", "LxmertTokenizer"}
    | {"MobileBertTokenizer", "SqueezeBertTokenizer"}
)
"""Tokenizers that transformers builds from a vocabulary and the settings below, ignoring the rest of tokenizer.json."""
_FROM_VOCABULARY: Final = _BERT | {"ConvBertTokenizer"}
_REBUILT: Final = _BERT | {"MPNetTokenizer"}
"""ConvBertTokenizer has no constructor of its own, so transformers uses its tokenizer.json unchanged."""
_OF_TYPES: Final = {
    **dict.fromkeys(("bert", "bros", "convbert", "distilbert", "electra", "ernie", "layoutlm"), "BertTokenizer"),
    **dict.fromkeys(("lxmert", "megatron-bert", "mobilebert", "squeezebert", "visual_bert"), "BertTokenizer"),
    "mpnet": "MPNetTokenizer",
}
"""transformers' default tokenizer by type of model, if its files do not name one (TOKENIZER_MAPPING_NAMES)."""
_NORMALIZER: Final = {
    "do_lower_case": "lowercase",
    "strip_accents": "strip_accents",
    "tokenize_chinese_chars": "handle_chinese_chars",
}
"""Settings of tokenizer_config.json, and their names in the tokenizers library."""
_SPECIAL: Final = {
    "unk_token": "[UNK]",
    "sep_token": "[SEP]",
    "pad_token": "[PAD]",
    "cls_token": "[CLS]",
    "mask_token": "[MASK]",
}
_LONGEST_WORD: Final = 100  # longer words become the unknown token: the default of transformers and of the library


def read(folder: ModelFolder, path: str) -> str:
    """Return the tokenizer of a transformer in the format of tokenizer.json.

    Raises:
        ModelMissingError: there is neither tokenizer.json nor the vocabulary of a plain BERT tokenizer.
        ModelDamagedError: a file cannot be read, or the vocabulary lacks a required token.
    """
    made = _made(folder, path)
    return folder.text(path + FILE) if made is None else made


def sha256(folder: ModelFolder, path: str) -> str:
    """Return the digest of tokenizer.json, or of the result of `read` if that differs; raises as `read`."""
    made = _made(folder, path)
    return folder.sha256(path + FILE) if made is None else hashlib.sha256(made.encode()).hexdigest()


def _made(folder: ModelFolder, path: str) -> str | None:
    """Return the tokenizer if it differs from tokenizer.json; else None."""
    config = folder.optional(path + _CONFIG)
    vocabulary_only = not folder.has(path + FILE) and folder.has(path + _VOCABULARY)
    if vocabulary_only and _class(folder, path, config) in _FROM_VOCABULARY:
        return _dumped(_from_vocabulary(folder, path, config))
    return _changed(folder, path, config)


def _class(folder: ModelFolder, path: str, config: dict[str, object]) -> str:
    """Return the name of transformers' tokenizer, from either of two files or else from the model's type."""
    own = folder.optional(f"{path}config.json")
    named = config.get("tokenizer_class") or own.get("tokenizer_class") or _OF_TYPES.get(str(own.get("model_type")), "")
    return str(named).removesuffix("Fast")


def _changed(folder: ModelFolder, path: str, config: dict[str, object]) -> str | None:
    """Return tokenizer.json as transformers rebuilds it; None if that changes nothing."""
    folder.require(path + FILE)
    if _class(folder, path, config) not in _REBUILT:
        return None
    tokenizer = folder.table(path + FILE)
    model = tokenizer.get("model")
    if not isinstance(model, dict) or "max_input_chars_per_word" not in model:  # only WordPiece has it
        return None
    unknown = _word(config.get("unk_token")) or _SPECIAL["unk_token"]
    if unknown not in model.get("vocab", {}):
        raise ModelDamagedError(f"the vocabulary of {folder.root / path / FILE} has no {unknown!r}: {folder.fix}")
    rebuilt = tokenizer | {
        "normalizer": _normalizer(config),
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "model": model | _word_piece(unknown),
    }
    return None if rebuilt == tokenizer else _dumped(rebuilt)


def _normalizer(config: dict[str, object]) -> dict[str, object]:
    usual = {"clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": True}
    wanted = {ours: config[theirs] for theirs, ours in _NORMALIZER.items() if theirs in config}
    return {"type": "BertNormalizer", **usual, **wanted}


def _word_piece(unknown: str) -> dict[str, object]:
    return {
        "unk_token": unknown,
        "continuing_subword_prefix": "##",
        "max_input_chars_per_word": _LONGEST_WORD,
    }


def _from_vocabulary(folder: ModelFolder, path: str, config: dict[str, object]) -> dict[str, object]:
    """Return BertTokenizer's equivalent: words and punctuation, split into pieces of the vocabulary."""
    lines = folder.text(path + _VOCABULARY).removesuffix("\n").split("\n")
    vocabulary = {word: number for number, word in enumerate(lines)}
    special = {name: _word(config.get(name)) or usual for name, usual in _SPECIAL.items()}
    first, last = special["cls_token"], special["sep_token"]
    if missing := [word for word in (first, last, special["unk_token"]) if word not in vocabulary]:
        raise ModelDamagedError(f"{folder.root / path / _VOCABULARY} has no {missing[0]!r}: {folder.fix}")
    added = {vocabulary[word]: _added(vocabulary[word], word) for word in special.values() if word in vocabulary}
    return {
        "version": "1.0",
        "added_tokens": [token for _, token in sorted((added | _declared(config)).items())],
        "normalizer": _normalizer(config),
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {
            "type": "BertProcessing",
            "cls": [first, vocabulary[first]],
            "sep": [last, vocabulary[last]],
        },
        "model": {
            "type": "WordPiece",
            **_word_piece(special["unk_token"]),
            "vocab": vocabulary,
        },
    }


def _declared(config: dict[str, object]) -> dict[int, dict[str, object]]:
    """Return the tokens that tokenizer_config.json adds, by id."""
    table = config.get("added_tokens_decoder")
    found = {}
    for number, token in table.items() if isinstance(table, dict) else ():
        if number.isdecimal() and (word := _word(token)):
            found[int(number)] = _added(int(number), word) | (token if isinstance(token, dict) else {})
    return {number: {key: token[key] for key in _added(0, "")} for number, token in found.items()}


def _added(number: int, word: str) -> dict[str, object]:
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return {"id": number, "content": word, **flags}


def _word(token: object) -> str:
    """Return a token's text from a string or from an object with flags."""
    return str(token.get("content") or "") if isinstance(token, dict) else str(token or "")


def _dumped(tokenizer: dict[str, object]) -> str:
    return json.dumps(tokenizer, ensure_ascii=False, sort_keys=True)
