"""Tiny models with random weights, of the kinds that are served, written by sentence-transformers itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.model.corpus import made_texts

if TYPE_CHECKING:
    import tokenizers
    import torch
    import transformers
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer import modules
else:  # the light interpreter collects this file too
    tokenizers, torch, transformers = map(pytest.importorskip, ("tokenizers", "torch", "transformers"))
    SentenceTransformer = pytest.importorskip("sentence_transformers").SentenceTransformer
    modules = pytest.importorskip("sentence_transformers.sentence_transformer.modules")

SPECIAL: Final = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
ROBERTA: Final = {
    "cls_token": "<s>",
    "bos_token": "<s>",
    "pad_token": "<pad>",
    "eos_token": "</s>",
    "unk_token": "<unk>",
}
SIZES: Final = {"vocab_size": 400, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}


def _trained(
    model: tokenizers.models.Model, trainer: tokenizers.trainers.Trainer, split: tokenizers.pre_tokenizers.PreTokenizer
) -> tokenizers.Tokenizer:
    tokenizer = tokenizers.Tokenizer(model)
    tokenizer.pre_tokenizer = split
    tokenizer.train_from_iterator(made_texts(60), trainer)
    return tokenizer


def _fast(tokenizer: tokenizers.Tokenizer, **words: str) -> transformers.PreTrainedTokenizerFast:
    return transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, **words)  # type: ignore[no-untyped-call]  # has no types


def _word_pieces() -> transformers.PreTrainedTokenizerFast:
    """Return a tokenizer like BERT's, cased."""
    trainer = tokenizers.trainers.WordPieceTrainer(vocab_size=400, special_tokens=list(SPECIAL.values()))
    split = tokenizers.pre_tokenizers.BertPreTokenizer()
    tokenizer = _trained(tokenizers.models.WordPiece(unk_token="[UNK]"), trainer, split)  # noqa: S106 - no password
    tokenizer.post_processor = tokenizers.processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return _fast(tokenizer, **SPECIAL)


def _byte_pairs(*, ends: bool) -> transformers.PreTrainedTokenizerFast:
    """Return a tokenizer like RoBERTa's, or like a decoder's, which pads on the left and adds one token at the end."""
    trainer = tokenizers.trainers.BpeTrainer(vocab_size=400, special_tokens=list(dict.fromkeys(ROBERTA.values())))
    tokenizer = _trained(tokenizers.models.BPE(), trainer, tokenizers.pre_tokenizers.ByteLevel())
    if ends:
        tokenizer.post_processor = tokenizers.processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
        return _fast(tokenizer, **ROBERTA)
    last = tokenizers.processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 2)])
    tokenizer.post_processor = last
    return _fast(tokenizer, padding_side="left", **ROBERTA)


def _transformer(kind: str, **options: object) -> transformers.PreTrainedModel:
    """Make one of an architecture; its weights are random, and large enough to tell texts apart."""
    options = {"intermediate_size": 64, "initializer_range": 0.5} | options
    config = transformers.AutoConfig.for_model(kind, **SIZES, **options)
    made: transformers.PreTrainedModel = transformers.AutoModel.from_config(config)  # type: ignore[no-untyped-call]  # has no types
    return made


def _save(
    folder: Path,
    transformer: transformers.PreTrainedModel,
    tokenizer: transformers.PreTrainedTokenizerFast,
    *behind: torch.nn.Module,
    prompts: dict[str, str] | None = None,
) -> Path:
    """Write a model as the library does."""
    transformer.save_pretrained(folder / "transformer")
    tokenizer.save_pretrained(folder / "transformer")
    own = modules.Transformer(str(folder / "transformer"))
    whole = SentenceTransformer(modules=[own, *behind], device="cpu", prompts=prompts)
    whole.save_pretrained(str(folder / "model"))
    return folder / "model"


def bert(folder: Path, *poolings: str) -> Path:
    """Write a BERT with prompts; its texts are made lower-case, and its vectors may be cut."""
    transformer = _transformer("bert", max_position_embeddings=64, matryoshka_dimensions=[8, 16, 32])
    prompts = {"query": "Find what answers: ", "passage": "Text: "}
    behind = modules.Pooling(32, poolings or "mean"), modules.Normalize()
    written = _save(folder, transformer, _word_pieces(), *behind, prompts=prompts)
    (written / "sentence_bert_config.json").write_text('{"max_seq_length": 48, "do_lower_case": true}')
    return written


def roberta(folder: Path) -> Path:
    """Write a RoBERTa, pooled at its first token, whose tokenizer sets no limit."""
    transformer = _transformer("roberta", max_position_embeddings=42)
    return _save(folder, transformer, _byte_pairs(ends=True), modules.Pooling(32, "cls"))


def mpnet(folder: Path) -> Path:
    """Write an MPNet with dense layers behind two poolings, in one of which there is no bias."""
    transformer = _transformer("mpnet", max_position_embeddings=66)
    layers = modules.Dense(64, 24), modules.Dense(24, 20, bias=False, activation_function=torch.nn.Identity())
    behind = modules.Pooling(32, ("max", "mean")), *layers, modules.Normalize()
    return _save(folder, transformer, _byte_pairs(ends=True), *behind)


def qwen(folder: Path) -> Path:
    """Write a decoder, pooled at its last token, whose tokenizer pads on the left."""
    heads = {"num_key_value_heads": 1, "head_dim": 16}
    transformer = _transformer("qwen3", max_position_embeddings=64, initializer_range=0.2, **heads)
    return _save(folder, transformer, _byte_pairs(ends=False), modules.Pooling(32, "lasttoken"))


def t5(folder: Path) -> Path:
    """Write the encoder of a T5, whose widths and lengths have other names, and whose tokenizer sets the limit."""
    config = transformers.T5Config(vocab_size=400, d_model=32, num_layers=2, num_heads=2, d_kv=16, d_ff=64)
    transformer = transformers.T5EncoderModel(config)
    tokenizer = _byte_pairs(ends=False)
    tokenizer.model_max_length = 40
    return _save(folder, transformer, tokenizer, modules.Pooling(32, "mean"), modules.Normalize())


def modernbert(folder: Path) -> Path:
    """Write a ModernBERT, of whose layers one sees eight tokens around each, and the other all."""
    ends = {"pad_token_id": 1, "bos_token_id": 0, "cls_token_id": 0, "eos_token_id": 2, "sep_token_id": 2}
    windows = {"local_attention": 8, "global_attn_every_n_layers": 2}
    transformer = _transformer("modernbert", max_position_embeddings=96, **windows, **ends)
    return _save(folder, transformer, _byte_pairs(ends=True), modules.Pooling(32, "mean"))


def mistral(folder: Path) -> Path:
    """Write a decoder that sees the last eight tokens."""
    heads = {"num_key_value_heads": 1, "sliding_window": 8, "pad_token_id": 1}
    transformer = _transformer("mistral", max_position_embeddings=96, initializer_range=0.2, **heads)
    return _save(folder, transformer, _byte_pairs(ends=True), modules.Pooling(32, "mean"))


def longformer(folder: Path) -> Path:
    """Write a Longformer, which pads to multiples of its window, so that its graph depends on the length."""
    transformer = _transformer("longformer", max_position_embeddings=130, attention_window=[8, 8], pad_token_id=1)
    return _save(folder, transformer, _byte_pairs(ends=True), modules.Pooling(32, "mean"))


def plain(folder: Path, **settings: object) -> Path:
    """Write a BERT whose tokenizer is a vocabulary and settings, as before there were fast ones."""
    written = bert(folder)
    words = json.loads((written / "tokenizer.json").read_text())["model"]["vocab"]
    (written / "vocab.txt").write_text("".join(f"{word}\n" for word in sorted(words, key=words.__getitem__)))
    (written / "tokenizer.json").unlink()
    (written / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "BertTokenizer"} | settings))
    (written / "sentence_bert_config.json").write_text('{"max_seq_length": 48}')
    return written


KINDS: Final[dict[str, Callable[[Path], Path]]] = {
    "bert": bert,
    "roberta": roberta,
    "mpnet": mpnet,
    "qwen": qwen,
    "t5": t5,
    "modernbert": modernbert,
    "mistral": mistral,
}
