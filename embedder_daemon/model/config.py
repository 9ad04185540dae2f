"""Reads the configuration of a sentence-transformers model as that library does; never reads weights."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final, TypeGuard

from embedder_daemon.errors import LoadError, ModelDamagedError
from embedder_daemon.model.folder import ModelFolder
from embedder_daemon.model.prompts import Prompts, known_prompts

ACTIVATIONS: Final = ("Identity", "Tanh", "ReLU", "GELU", "Sigmoid")
_FLAGS: Final = {  # of older files, in the order in which several are concatenated
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
POOLINGS: Final = tuple(_FLAGS.values())
_QUERY_PROMPTS: Final = ("query", "search_query")
_DOCUMENT_PROMPTS: Final = ("document", "passage", "corpus", "search_document")
_LENGTH_FILES: Final = tuple(
    f"sentence_{kind}_config.json"
    for kind in ("bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet")
)
_AFTER_PADDING: Final = frozenset(  # their positions begin after the padding's, so the table has fewer usable ones
    {"camembert", "data2vec-text", "esm", "ibert", "layoutlmv3", "lilt", "longformer", "luke", "markuplm", "mpnet"}
    | {"roberta", "roberta-prelayernorm", "xlm-roberta", "xlm-roberta-xl", "xmod"}
)
_POSITIONS: Final = {  # where the size of the table has another name
    **dict.fromkeys(("codegen", "ctrl", "gpt2", "gpt_bigcode", "gptj", "openai-gpt"), "n_positions"),
    "led": "max_encoder_position_embeddings",
}
_COSMETIC: Final = frozenset(  # members of config.json that do not affect vectors, besides names with _ and dropouts
    {"architectures", "auto_map", "dtype", "finetuning_task", "gradient_checkpointing", "id2label"}
    | {"initializer_cutoff_factor", "initializer_factor", "initializer_range", "label2id", "matryoshka_dimensions"}
    | {"num_labels", "output_attentions", "output_hidden_states", "problem_type", "return_dict", "torch_dtype"}
    | {"torchscript", "transformers_version", "use_cache"}
)
_DROPOUTS: Final = ("dropout", "dropout_prob", "dropout_p", "pdrop", "layerdrop")
_TEXT: Final = {"method": "forward", "method_output_name": "last_hidden_state"}
_SETTINGS: Final = "config_sentence_transformers.json"


@dataclass(frozen=True, slots=True)
class Modules:
    """The folders of a model's modules, each empty or ending with a slash."""

    transformer: str
    pooling: str
    dense: tuple[str, ...]


def modules(folder: ModelFolder) -> Modules:
    """Return the modules; raises LoadError unless they are transformer, pooling, dense, normalisation."""
    listed = folder.load("modules.json")
    if not isinstance(listed, list) or not all(isinstance(module, dict) for module in listed):
        raise ModelDamagedError(f"{folder.root / 'modules.json'} has no list of modules: {folder.fix}")
    kinds = [str(module.get("type", "")) for module in listed]
    names = [kind.rpartition(".")[2] if kind.startswith("sentence_transformers.") else kind for kind in kinds]
    if strange := set(names) - {"Transformer", "Pooling", "Dense", "Normalize"}:
        raise LoadError(
            f"the model {folder.root} has a module that no engine here supports: {', '.join(sorted(strange))}"
        )
    dense = names.count("Dense")
    if names not in (usual := ["Transformer", "Pooling", *["Dense"] * dense], [*usual, "Normalize"]):
        raise LoadError(f"the model {folder.root} has its modules in an order that no engine here supports: {names}")
    paths = [f"{path}/" if (path := str(module.get("path", "")).strip("/")) else "" for module in listed]
    return Modules(paths[0], paths[1], tuple(paths[2 : 2 + dense]))


def refuse_code(folder: ModelFolder, path: str) -> None:
    """Raise LoadError if the transformer is Python code that comes with the model.

    The library would use its own class of the same type, which may fit the weights but compute something else.
    """
    brought = folder.table(f"{path}config.json").get("auto_map")
    code = brought.get("AutoModel") if isinstance(brought, dict) else None
    if code:
        raise LoadError(f"the model {folder.root} comes with its own code ({code}), which is never run here")


def pooling(folder: ModelFolder, path: str, prompts: Prompts) -> str:
    """Return the pooling; poolings whose results are concatenated are joined by +.

    Raises:
        LoadError: no engine supports it, or it excludes the tokens of a prompt.
    """
    config = folder.table(f"{path}config.json")
    declared = config.get("pooling_mode") or [mode for flag, mode in _FLAGS.items() if config.get(flag)] or "mean"
    modes = declared if isinstance(declared, list) else [declared]
    if not set(map(str, modes)) <= set(POOLINGS):
        raise LoadError(f"the model {folder.root} needs pooling {modes}, but the engines support {', '.join(POOLINGS)}")
    if config.get("include_prompt") is False and (prompts.query or prompts.document):
        raise LoadError(f"the model {folder.root} excludes its prompts from the pooling, which no engine here supports")
    return "+".join(map(str, modes))


def activation(folder: ModelFolder, path: str) -> str:
    """Return the name of a dense layer's activation in torch.nn; raises LoadError if no engine supports it."""
    config = folder.table(f"{path}config.json")
    name = str(config.get("activation_function", "torch.nn.modules.activation.Tanh"))
    package, _, known = name.rpartition(".")
    if not package.startswith("torch.nn") or known not in ACTIVATIONS:
        raise LoadError(f"the model {folder.root} has a Dense module with {name}, which no engine here supports")
    input_name = config.get("module_input_name") or "sentence_embedding"
    output_name = config.get("module_output_name") or input_name
    if config.get("use_residual") or (input_name, output_name) != ("sentence_embedding",) * 2:
        raise LoadError(f"the model {folder.root} has a Dense module of a kind that no engine here supports: {path}")
    return known


def prompts(folder: ModelFolder, name: str) -> Prompts:
    """Return a model's prompts: from its own files, else those of its family if known."""
    own = _own_prompts(folder)
    return own if any(own) else known_prompts(name)


def _own_prompts(folder: ModelFolder) -> Prompts:
    """Return the prompts in the files; a task without one gets the default, unless that is the other's."""
    settings = folder.optional(_SETTINGS)
    table = settings.get("prompts")
    texts = {name: text for name, text in table.items() if isinstance(text, str)} if isinstance(table, dict) else {}
    default = str(settings.get("default_prompt_name"))
    return Prompts(
        query=_prompt(texts, _QUERY_PROMPTS, "" if default in _DOCUMENT_PROMPTS else default),
        document=_prompt(texts, _DOCUMENT_PROMPTS, "" if default in _QUERY_PROMPTS else default),
    )


def _prompt(texts: Mapping[str, str], names: Collection[str], default: str) -> str:
    own = [texts[name] for name in names if name in texts]
    if not own:
        return texts.get(default, "")
    return next(filter(None, own), "")  # the library writes an empty prompt for a name that the model does not use


def lower_case(folder: ModelFolder, path: str) -> bool:
    """Whether texts are lower-cased before tokenising; raises LoadError if the model's input is not plain text."""
    config = _length_file(folder, path)
    modalities = config.get("modality_config", {"text": _TEXT})
    task = config.get("transformer_task", "feature-extraction")
    if task != "feature-extraction" or not isinstance(modalities, dict) or modalities.get("text") != _TEXT:
        raise LoadError(
            f"the model {folder.root} does not compute hidden states from plain text, which the engines need"
        )
    return config.get("do_lower_case") is True


def max_tokens(folder: ModelFolder, path: str, pad_token_id: int) -> int:
    """Return the longest input in tokens, special tokens included: as declared, but at most the number of positions.

    Raises:
        ModelDamagedError: no file declares it.
    """
    declared = _length_file(folder, path).get("max_seq_length")
    config = folder.table(f"{path}config.json")
    limits = [declared, _positions(config, pad_token_id)]
    if not _is_length(declared):
        usual = config.get("max_position_embeddings")
        limits += [folder.optional(f"{path}tokenizer_config.json").get("model_max_length"), usual]
    lengths = [limit for limit in limits if _is_length(limit)]
    if not lengths:
        raise ModelDamagedError(
            f"{folder.root / path / 'config.json'} has no integer 'max_position_embeddings', and no other file "
            f"declares the maximum length of a text: {folder.fix}"
        )
    return int(min(lengths))


def _positions(config: Mapping[str, object], pad_token_id: int) -> int | None:
    """Return how many tokens have a position; None if only distances between tokens count."""
    kind = str(config.get("model_type"))
    positions = config.get(_POSITIONS.get(kind, "max_position_embeddings"))
    if not isinstance(positions, int) or config.get("position_biased_input") is False:  # DeBERTa's
        return None
    return positions - pad_token_id - 1 if kind in _AFTER_PADDING else positions


def _is_length(value: object) -> TypeGuard[float]:
    """Return a length if it means one: 2 leaves no room beside 2 special tokens, and 1e30 means no limit."""
    return isinstance(value, int | float) and 2 < value < 1e9


def _length_file(folder: ModelFolder, path: str) -> dict[str, object]:
    return folder.optional(*(path + file for file in _LENGTH_FILES))


def pad_token_id(folder: ModelFolder, path: str) -> int:
    """Return the id of the padding token; the mask hides it."""
    config = folder.table(f"{path}config.json")
    pad = config.get("pad_token_id")
    return pad if isinstance(pad, int) else int(config.get("model_type") in _AFTER_PADDING)


def width(folder: ModelFolder, found: Modules, pooling: str) -> int:
    """Return the dimensions of a full vector."""
    if found.dense:
        return folder.whole(f"{found.dense[-1]}config.json", "out_features")
    own = f"{found.transformer}config.json"
    if "hidden_size" in folder.table(own):
        return folder.whole(own, "hidden_size") * len(pooling.split("+"))
    config = f"{found.pooling}config.json"  # some architectures name it differently
    newer = "embedding_dimension" in folder.table(config)
    key = "embedding_dimension" if newer else "word_embedding_dimension"
    return folder.whole(config, key) * len(pooling.split("+"))


def dimensions(folder: ModelFolder, path: str, whole: int, wanted: int) -> int:
    """Return the dimensions to keep of `whole`; `wanted` 0 is the model's own choice.

    Raises:
        LoadError: the model does not declare that its vectors may be truncated there.
    """
    own = folder.optional(_SETTINGS).get("truncate_dim")
    declared = folder.table(f"{path}config.json").get("matryoshka_dimensions")
    cuts = [own, *(declared if isinstance(declared, list) else [])]
    allowed = {cut for cut in cuts if isinstance(cut, int) and 0 < cut < whole} | {whole}
    if not wanted:
        return own if isinstance(own, int) and own in allowed else whole
    if wanted not in allowed:
        raise LoadError(
            f"EMBEDDER_DIMENSIONS={wanted}: the model {folder.root} only declares "
            f"{', '.join(map(str, sorted(allowed)))} dimensions"
        )
    return wanted


def computation_sha256(folder: ModelFolder, path: str) -> str:
    """Return the digest of the transformer's configuration as far as it affects the computation, however formatted."""
    canonical = json.dumps(_computing(folder.table(f"{path}config.json")), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _computing(config: Mapping[str, object]) -> dict[str, object]:
    """Drop the members that do not affect vectors; keep unknown ones, which may."""
    return {
        name: _computing(value) if isinstance(value, dict) else value
        for name, value in config.items()
        if name not in _COSMETIC and not name.startswith("_") and not name.endswith(_DROPOUTS)
    }
