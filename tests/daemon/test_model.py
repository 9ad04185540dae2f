"""What a model's files say of its space; without any of the model's libraries."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from embedder_daemon.errors import LoadError, ModelDamagedError, ModelMissingError
from embedder_daemon.model import discovery
from embedder_daemon.settings import DaemonSettings
from tests.daemon.modelfiles import MODULES, POOLING, SETTINGS, find, modules, write

LENGTH = "sentence_bert_config.json"
BERT = {"hidden_size": 8, "max_position_embeddings": 64, "pad_token_id": 1}
ABSOLUTE = ("bert", "distilbert", "electra", "albert", "ernie", "mobilebert", "modernbert", "mistral", "qwen3", "new")
AFTER_PAD = ("roberta", "xlm-roberta", "camembert", "mpnet", "longformer", "ibert", "data2vec-text", "xmod", "luke")
GPT = {"hidden_size": 8, "model_type": "gpt2", "n_positions": 48}
DEBERTA = BERT | {"model_type": "deberta-v2", "position_biased_input": False}
ROBERTA = {"model_type": "roberta", "hidden_size": 8, "max_position_embeddings": 66}


def test_everything_is_read_from_the_models_own_files(tmp_path: Path) -> None:
    """Pooling, prompts, lengths, dimensions, padding and digests come from the folder."""
    found = find(tmp_path)
    space = found.space
    assert (space.model, space.pooling, space.max_tokens, space.dimensions) == ("tiny", "cls", 32, 8)
    assert (space.query_prompt, space.document_prompt, found.pad_token_id) == ("query: ", "passage: ", 1)
    again = find(tmp_path / "again", **{"model.safetensors": "others"})
    assert again.space.space_id != space.space_id


def test_the_configuration_belongs_to_the_space(tmp_path: Path) -> None:
    """What decides about vectors makes another space, known to us or not; how it was written and trained does not."""
    config: dict[str, object] = {"hidden_size": 8, "max_position_embeddings": 64, "layer_norm_eps": 1e-12}
    config |= {"num_attention_heads": 2, "hidden_act": "gelu", "rope": {"theta": 1e4}}
    found = find(tmp_path / "first", **{"config.json": config})
    other: list[dict[str, object]] = [{"num_attention_heads": 4}, {"hidden_act": "relu"}, {"layer_norm_eps": 1e-5}]
    other += [{"rope": {"theta": 1e6}}, {"whatever_comes": True}, {"is_decoder": True}]
    spaces = {find(tmp_path / f"o{n}", **{"config.json": config | it}).space.space_id for n, it in enumerate(other)}
    assert len(spaces | {found.space.space_id}) == len(other) + 1
    cosmetic: list[dict[str, object]] = [{"transformers_version": "9"}, {"_name_or_path": "x"}, {"torch_dtype": "y"}]
    cosmetic += [{"dtype": "float16"}, {"hidden_dropout_prob": 0.5}, {"resid_pdrop": 0.1}, {"initializer_range": 1}]
    cosmetic += [{"rope": {"theta": 1e4, "_note": 1}}, {"architectures": ["Other"]}, {"use_cache": False}]
    for number, change in enumerate(cosmetic):
        again = find(tmp_path / f"c{number}", **{"config.json": json.dumps(config | change, indent=3)})
        assert again.space == found.space, change


def test_the_bundled_models_configuration_leaves_the_id(tmp_path: Path) -> None:
    """A model whose configuration is that of the bundled one has the id that it always had: stores on disk name it."""
    config = {"model_type": "bert", "vocab_size": 30522, "hidden_size": 384, "num_hidden_layers": 6, "pad_token_id": 0}
    config |= {"num_attention_heads": 12, "intermediate_size": 1536, "hidden_act": "gelu", "layer_norm_eps": 1e-12}
    config |= {"max_position_embeddings": 512, "type_vocab_size": 2, "position_embedding_type": "absolute"}
    found = find(tmp_path, **{"config.json": config})
    assert found.space.config_sha256 == ""
    assert found.space.space_id == "tiny-3f8d5b333f3b11ab"


def test_absent_optional_files_have_defaults(tmp_path: Path) -> None:
    """Without the optional files the model's configuration says the length, and there are no prompts."""
    space = find(tmp_path, **{LENGTH: None, SETTINGS: None, POOLING: {"pooling_mode": "mean"}}).space
    assert (space.max_tokens, space.query_prompt, space.pooling) == (64, "", "mean")


@pytest.mark.parametrize(
    ("config", "pooling", "dimensions"),
    [
        ({"pooling_mode": "lasttoken"}, "lasttoken", 8),
        ({"pooling_mode": ["mean"]}, "mean", 8),
        ({"pooling_mode": ["mean", "cls"]}, "mean+cls", 16),
        ({"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": True}, "cls+mean", 16),
        ({"pooling_mode_weightedmean_tokens": True}, "weightedmean", 8),
        ({"pooling_mode_mean_tokens": False, "include_prompt": True}, "mean", 8),
    ],
)
def test_both_ways_to_say_the_pooling(tmp_path: Path, config: dict[str, object], pooling: str, dimensions: int) -> None:
    """The older flags and the newer name say the same; several are concatenated; nothing said is the mean."""
    space = find(tmp_path, **{POOLING: config}).space
    assert (space.pooling, space.dimensions) == (pooling, dimensions)


@pytest.mark.parametrize(
    ("prompts", "default", "query", "document"),
    [
        ({"query": "q: ", "passage": "p: "}, None, "q: ", "p: "),
        ({"search_query": "q: ", "search_document": "d: "}, None, "q: ", "d: "),
        ({"query": "q: ", "document": "", "passage": "p: "}, None, "q: ", "p: "),
        ({"query": "q: "}, "query", "q: ", ""),
        ({"passage": "p: "}, "passage", "", "p: "),
        ({"all": "a: ", "query": None}, "all", "a: ", "a: "),
        ({"all": "a: ", "query": "", "document": ""}, "all", "", ""),
        ({"sts": "s: "}, None, "", ""),
    ],
)
def test_each_task_has_its_prompt(
    tmp_path: Path, prompts: dict[str, str | None], default: str | None, query: str, document: str
) -> None:
    """Prompts go by the names that models use; the default one never puts a query's prompt before a document."""
    space = find(tmp_path, **{SETTINGS: {"prompts": prompts, "default_prompt_name": default}}).space
    assert (space.query_prompt, space.document_prompt) == (query, document)


@pytest.mark.parametrize(
    ("changed", "tokens"),
    [
        ({"tokenizer_config.json": {"model_max_length": 48}}, 48),
        ({"tokenizer_config.json": {"model_max_length": 10**30}}, 64),
        ({"config.json": ROBERTA}, 64),
        ({"config.json": ROBERTA, LENGTH: {"max_seq_length": 66}}, 64),
        ({"config.json": ROBERTA | {"pad_token_id": 0}}, 65),
        ({"sentence_roberta_config.json": {"max_seq_length": 24}}, 24),
        *[({"config.json": BERT | {"model_type": kind}, LENGTH: {"max_seq_length": 512}}, 64) for kind in ABSOLUTE],
        *[({"config.json": BERT | {"model_type": kind}, LENGTH: {"max_seq_length": 512}}, 62) for kind in AFTER_PAD],
        *[({"config.json": BERT | {"model_type": kind}, LENGTH: {"max_seq_length": 64}}, 62) for kind in AFTER_PAD],
        ({"config.json": GPT, LENGTH: {"max_seq_length": 512}}, 48),
        ({"config.json": GPT}, 48),
        ({"config.json": {"hidden_size": 8, "model_type": "led", "max_encoder_position_embeddings": 40}}, 40),
        (
            {"config.json": {"hidden_size": 8, "model_type": "t5", "n_positions": 40}, LENGTH: {"max_seq_length": 512}},
            512,
        ),
        ({"config.json": DEBERTA, LENGTH: {"max_seq_length": 512}}, 512),
        ({"config.json": DEBERTA | {"position_biased_input": True}, LENGTH: {"max_seq_length": 512}}, 64),
        ({"config.json": DEBERTA}, 64),
        ({"config.json": BERT, LENGTH: {"max_seq_length": 32}}, 32),
        ({"config.json": BERT, LENGTH: {"max_seq_length": None}}, 64),
    ],
)
def test_the_length_is_the_least_that_the_files_say(tmp_path: Path, changed: dict[str, object], tokens: int) -> None:
    """Where it is not declared, tokenizer and positions say it; what lies behind the padding's position counts less."""
    assert find(tmp_path, **({LENGTH: None} | changed)).space.max_tokens == tokens


def test_code_for_other_tasks_is_no_matter(tmp_path: Path) -> None:
    """A model that brings code, but none for its tokens' vectors, is served."""
    config = ROBERTA | {"auto_map": {"AutoModelForMaskedLM": "modeling.Model"}}
    assert find(tmp_path, **{"config.json": config}).space.dimensions == 8


@pytest.mark.parametrize(
    ("name", "query", "document"),
    [
        ("multilingual-e5-small", "query: ", "passage: "),
        ("E5-Base-v2", "query: ", "passage: "),
        ("my_e5-large_copy", "query: ", "passage: "),
        ("multilingual-e5-large-instruct", "Instruct: ", ""),
        ("e5-mistral-7b-instruct", "Instruct: ", ""),
        ("bge-small-en-v1.5", "Represent this sentence for searching relevant passages: ", ""),
        ("bge-large-zh", "为这个句子", ""),
        ("bge-m3", "", ""),
        ("mxbai-embed-large-v1", "Represent this sentence", ""),
        ("deepset-mxbai-embed-de-large-v1", "query: ", "passage: "),
        ("UAE-Large-V1", "Represent this sentence", ""),
        ("snowflake-arctic-embed-m-v1.5", "Represent this sentence", ""),
        ("snowflake-arctic-embed-l-v2.0", "query: ", ""),
        ("nomic-embed-text-v1.5", "search_query: ", "search_document: "),
        ("gte-base", "", ""),
        ("base5-small", "", ""),
        ("e5x-small", "", ""),
        ("all-MiniLM-L6-v2", "", ""),
    ],
)
def test_known_families_have_their_prompts(name: str, query: str, document: str, tmp_path: Path) -> None:
    """A model whose files say no prompts, or say empty ones, gets those that its authors ask for."""
    silent: list[dict[str, object] | None] = [None, {}, {"prompts": {}}, {"prompts": {"query": "", "document": ""}}]
    for number, said in enumerate(silent):
        space = discovery.find(str(write(tmp_path / str(number) / name, **{SETTINGS: said}))).space
        assert space.query_prompt.startswith(query)
        assert bool(space.query_prompt) == bool(query)
        assert space.document_prompt == document
    own = discovery.find(str(write(tmp_path / "own" / name, **{SETTINGS: {"prompts": {"query": "mine: "}}}))).space
    assert (own.query_prompt, own.document_prompt) == ("mine: ", "")


def test_prompts_by_setting_come_first(tmp_path: Path) -> None:
    """Each one counts by itself, also an empty one, and makes another space; the files' own are as if not set."""
    folder = str(write(tmp_path / "multilingual-e5-small"))
    spaces = [
        discovery.configured(DaemonSettings(model=folder, query_prompt=query, document_prompt=document)).space
        for query, document in ((None, None), ("q ", None), (None, "d "), ("", ""), ("query: ", "passage: "))
    ]
    told = [(space.query_prompt, space.document_prompt) for space in spaces]
    assert told == [("query: ", "passage: "), ("q ", "passage: "), ("query: ", "d "), ("", ""), told[0]]
    assert len({space.space_id for space in spaces}) == 4


def test_prompts_by_setting_are_refused_where_they_cannot_be_left_out(tmp_path: Path) -> None:
    """A model whose pooling leaves prompts out cannot have one, wherever it comes from."""
    folder = write(tmp_path / "tiny", **{POOLING: {"pooling_mode": "mean", "include_prompt": False}, SETTINGS: None})
    discovery.find(str(folder))
    with pytest.raises(LoadError, match="prompts"):
        discovery.configured(DaemonSettings(model=str(folder), query_prompt="q "))


def test_a_transformer_may_have_its_own_folder(tmp_path: Path) -> None:
    """The transformer's files are then read from there, and the tokenizer too."""
    moved: dict[str, object] = {f"0_Transformer/{name}": {} for name in ("tokenizer.json", "model.safetensors")}
    moved |= {"0_Transformer/config.json": {"hidden_size": 4, "max_position_embeddings": 16}}
    moved |= {"config.json": None, "model.safetensors": None, "tokenizer.json": None, LENGTH: None}
    found = find(tmp_path, **moved, **{"modules.json": modules(*MODULES, transformer="0_Transformer")})
    assert (found.space.dimensions, found.space.max_tokens) == (4, 16)
    assert found.folder == tmp_path / "tiny" / "0_Transformer"


def test_dense_layers_belong_to_the_space(tmp_path: Path) -> None:
    """A layer's width, activation and weights come from its folder."""
    layer = {"in_features": 8, "out_features": 5, "activation_function": "torch.nn.modules.linear.Identity"}
    changed = {"modules.json": modules("Transformer", "Pooling", "Dense", "Normalize"), "2_Dense/config.json": layer}
    found = find(tmp_path, **changed, **{"2_Dense/model.safetensors": "a"})
    assert (found.space.dense, found.space.dimensions) == ("Identity", 5)
    assert found.dense == (tmp_path / "tiny" / "2_Dense",)
    other = find(tmp_path / "other", **changed, **{"2_Dense/model.safetensors": "b"})
    assert other.space.weights_sha256 != found.space.weights_sha256


def test_dimensions_are_those_that_the_model_declares(tmp_path: Path) -> None:
    """A declared cut makes another space and another conversion; 0 is the model's own; another is refused."""
    config = {"hidden_size": 8, "max_position_embeddings": 64, "matryoshka_dimensions": [2, 4, 8]}
    folder = str(write(tmp_path / "tiny", **{"config.json": config}))
    whole, cut = discovery.find(folder), discovery.find(folder, 4)
    assert (whole.space.dimensions, cut.space.dimensions, cut.width) == (8, 4, 8)
    assert whole.space.space_id != cut.space.space_id
    assert (whole.head, cut.head) == ("cls", "cls-4")
    assert discovery.find(folder, 8) == whole
    with pytest.raises(LoadError, match=r"EMBEDDER_DIMENSIONS=3: .* 2, 4, 8 dimensions"):
        discovery.find(folder, 3)
    truncated = str(write(tmp_path / "other", **{SETTINGS: {"truncate_dim": 6}}))
    assert [discovery.find(truncated, wanted).space.dimensions for wanted in (0, 6, 8)] == [6, 6, 8]


@pytest.mark.parametrize(
    ("changed", "error", "words"),
    [
        ({"model.safetensors": None}, ModelMissingError, "model.safetensors"),
        ({"model.safetensors": None, "pytorch_model.bin": "x"}, LoadError, "model.safetensors is needed: .*save_pretr"),
        ({POOLING: None}, ModelMissingError, "1_Pooling"),
        ({"modules.json": None}, ModelMissingError, "modules.json is missing: install .*; without it, this is not"),
        ({"tokenizer.json": None}, ModelMissingError, "tokenizer.json is missing: .* with a fast tokenizer"),
        ({"modules.json": "[1]"}, ModelDamagedError, "modules.json"),
        ({"config.json": "[]"}, ModelDamagedError, "config.json"),
        ({"config.json": "\xff{"}, ModelDamagedError, "config.json"),
        ({"config.json": {"hidden_size": "many"}}, ModelDamagedError, "hidden_size"),
        ({"config.json": {"hidden_size": 8}, LENGTH: None}, ModelDamagedError, "max_position_embeddings"),
        (
            {"config.json": ROBERTA | {"auto_map": {"AutoModel": "owner/code--modeling.Model"}}},
            LoadError,
            "its own code .*owner/code--modeling.Model",
        ),
        ({POOLING: {"pooling_mode": "median"}}, LoadError, "median"),
        ({POOLING: {"pooling_mode": "mean", "include_prompt": False}}, LoadError, "prompts"),
        ({LENGTH: {"transformer_task": "fill-mask"}}, LoadError, "plain text"),
        ({"modules.json": modules("Transformer", "Pooling", "LSTM")}, LoadError, "LSTM"),
        ({"modules.json": modules("Transformer", "Pooling", "Normalize", "Dense")}, LoadError, "order"),
        ({"modules.json": [{"path": "", "type": "custom_st.Transformer"}]}, LoadError, "custom_st.Transformer"),
        (
            {"modules.json": modules("Transformer", "Pooling", "Dense"), "2_Dense/config.json": {"out_features": 4}},
            ModelMissingError,
            "2_Dense/model.safetensors",
        ),
        (
            {
                "modules.json": modules("Transformer", "Pooling", "Dense"),
                "2_Dense/config.json": {"out_features": 4, "activation_function": "os.system"},
                "2_Dense/model.safetensors": "x",
            },
            LoadError,
            "os.system",
        ),
    ],
)
def test_what_is_wrong_with_a_model_is_named(
    tmp_path: Path, changed: dict[str, object], error: type[Exception], words: str
) -> None:
    """A missing, damaged or unsupported part is an error of its own kind that names the file or the part."""
    with pytest.raises(error, match=words):
        find(tmp_path, **changed)
