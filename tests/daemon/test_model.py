"""What a model's files say, wherever they lie; without any of the model's libraries."""

from __future__ import annotations

import json
import sys
import types
from pathlib import Path

import pytest

from embedder_daemon import resolve_model
from embedder_daemon.errors import LoadError, ModelDamagedError, ModelMissingError
from embedder_daemon.model import discovery
from embedder_daemon.model.folder import ModelFolder
from embedder_daemon.model.space import ModelFiles
from embedder_daemon.settings import DaemonSettings
from tests.daemon.modelfiles import COMMIT, MODULES, modules, write, write_cache

SETTINGS = "config_sentence_transformers.json"
LENGTH = "sentence_bert_config.json"
POOLING = "1_Pooling/config.json"
BERT = {"hidden_size": 8, "max_position_embeddings": 64, "pad_token_id": 1}
ABSOLUTE = ("bert", "distilbert", "electra", "albert", "ernie", "mobilebert", "modernbert", "mistral", "qwen3", "new")
AFTER_PAD = ("roberta", "xlm-roberta", "camembert", "mpnet", "longformer", "ibert", "data2vec-text", "xmod", "luke")
GPT = {"hidden_size": 8, "model_type": "gpt2", "n_positions": 48}
DEBERTA = BERT | {"model_type": "deberta-v2", "position_biased_input": False}
ROBERTA = {"model_type": "roberta", "hidden_size": 8, "max_position_embeddings": 66}


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a hub's cache; the library that knows where it lies is not in the light interpreter."""
    constants = types.ModuleType("huggingface_hub.constants")
    constants.__dict__["HF_HUB_CACHE"] = str(tmp_path / "hub")
    monkeypatch.setitem(sys.modules, "huggingface_hub", types.ModuleType("huggingface_hub"))
    monkeypatch.setitem(sys.modules, "huggingface_hub.constants", constants)
    return tmp_path / "hub"


def find(folder: Path, **changed: object) -> ModelFiles:
    """Write a tiny model and read it."""
    return discovery.find(str(write(folder / "tiny", **changed)))


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


VOCABULARY = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nword\n##s\n"
PLAIN = {"tokenizer.json": None, "vocab.txt": VOCABULARY}
FAST: dict[str, object] = {
    "tokenizer.json": {
        "normalizer": {
            "type": "BertNormalizer",
            "clean_text": True,
            "lowercase": True,
            "strip_accents": None,
            "handle_chinese_chars": True,
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "model": {
            "type": "WordPiece",
            "unk_token": "[UNK]",
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
            "vocab": {"[PAD]": 0, "[UNK]": 1},
        },
    }
}


def test_a_plain_bert_tokenizer_needs_no_fast_one(tmp_path: Path) -> None:
    """The digest is of the vocabulary and of what tokenizer_config.json says of it."""
    config: dict[str, object] = {"tokenizer_class": "BertTokenizer", "do_lower_case": False}
    other: list[dict[str, object]] = [{"do_lower_case": True}, {"strip_accents": True}, {"strip_accents": False}]
    other += [{"tokenize_chinese_chars": False}, {"added_tokens_decoder": {"7": {"content": "[X]", "lstrip": True}}}]
    same: list[dict[str, object]] = [{}, {"tokenizer_class": "BertTokenizerFast"}, {"name": "x"}]
    spaces = [
        find(tmp_path / str(number), **PLAIN, **{"tokenizer_config.json": config | change}).space
        for number, change in enumerate(same + other)
    ]
    assert spaces[0] == spaces[1] == spaces[2]
    assert len({space.space_id for space in spaces[2:]}) == len(other) + 1
    assert find(tmp_path / "type", **PLAIN, **{"config.json": BERT | {"model_type": "bert"}}).space.tokenizer_sha256
    limited = {"tokenizer_config.json": config | {"model_max_length": 24}, LENGTH: None}
    assert find(tmp_path / "limited", **PLAIN, **limited).space.max_tokens == 24


@pytest.mark.parametrize(
    ("changed", "error", "words"),
    [
        ({"vocab.txt": VOCABULARY}, ModelMissingError, r"tokenizer\.json is missing"),
        (
            {"tokenizer_config.json": {"tokenizer_class": "BertTokenizer"}},
            ModelMissingError,
            r"tokenizer\.json is miss",
        ),
        ({"vocab.txt": "word", "config.json": BERT | {"model_type": "bert"}}, ModelDamagedError, r"vocab\.txt has no"),
        (
            {"vocab.txt": VOCABULARY, "tokenizer_config.json": {"tokenizer_class": "MPNetTokenizer"}},
            ModelMissingError,
            r"tokenizer\.json is missing",
        ),
    ],
)
def test_what_is_no_plain_tokenizer_is_told(
    tmp_path: Path, changed: dict[str, object], error: type[Exception], words: str
) -> None:
    """Without tokenizer.json there has to be a BERT tokenizer, and a vocabulary that has its tokens."""
    with pytest.raises(error, match=words):
        find(tmp_path, **({"tokenizer.json": None} | changed))


@pytest.mark.parametrize(
    ("kind", "said", "changes"),
    [
        ("BertTokenizer", {"do_lower_case": False}, True),
        ("BertTokenizerFast", {"strip_accents": False}, True),
        ("DistilBertTokenizer", {"tokenize_chinese_chars": False}, True),
        ("LayoutLMTokenizer", {"do_lower_case": False}, True),
        ("MPNetTokenizerFast", {"do_lower_case": False}, True),
        ("BertTokenizer", {"unk_token": "[PAD]"}, True),
        ("BertTokenizer", {"unk_token": {"content": "[PAD]"}}, True),
        ("BertTokenizer", {"do_lower_case": True, "strip_accents": None, "tokenize_chinese_chars": True}, False),
        ("BertTokenizer", {"unk_token": "[UNK]"}, False),
        ("BertTokenizer", {}, False),
        ("PreTrainedTokenizerFast", {"do_lower_case": False}, False),
        ("ConvBertTokenizer", {"do_lower_case": False}, False),
        ("", {"do_lower_case": False}, False),
    ],
)
def test_tokenizer_config_overrules_the_fast_tokenizer(
    tmp_path: Path, kind: str, said: dict[str, object], *, changes: bool
) -> None:
    """As transformers reads the files of a BERT tokenizer; where they agree, the id stays what it was."""
    plain = find(tmp_path / "plain", **FAST)
    other = find(tmp_path / "other", **FAST, **{"tokenizer_config.json": {"tokenizer_class": kind} | said})
    assert (other.space.space_id != plain.space.space_id) is changes


@pytest.mark.parametrize(
    "told", [{"model_type": "bert"}, {"model_type": "mpnet"}, {"tokenizer_class": "BertTokenizerFast"}]
)
def test_a_tokenizer_without_a_name_is_that_of_the_models_type(tmp_path: Path, told: dict[str, str]) -> None:
    """Where tokenizer_config.json names no tokenizer, config.json decides, and the settings count all the same."""
    config = {"config.json": BERT | told}
    plain = find(tmp_path / "plain", **FAST, **config)
    other = find(tmp_path / "other", **FAST, **config, **{"tokenizer_config.json": {"do_lower_case": False}})
    assert other.space.space_id != plain.space.space_id


def test_an_unknown_token_that_no_vocabulary_has_is_told(tmp_path: Path) -> None:
    """It is told when the model is found, and not when a text needs that token."""
    said = {"tokenizer_config.json": {"tokenizer_class": "BertTokenizer", "unk_token": "<unk>"}}
    with pytest.raises(ModelDamagedError, match=r"tokenizer\.json has no '<unk>'"):
        find(tmp_path, **FAST, **said)


def test_a_transformer_may_have_its_own_folder(tmp_path: Path) -> None:
    """The transformer's files are then read from there, and the tokenizer too."""
    moved: dict[str, object] = {f"0_Transformer/{name}": {} for name in ("tokenizer.json", "model.safetensors")}
    moved |= {"0_Transformer/config.json": {"hidden_size": 4, "max_position_embeddings": 16}}
    moved |= {"config.json": None, "model.safetensors": None, "tokenizer.json": None, LENGTH: None}
    found = find(tmp_path, **moved, **{"modules.json": modules(*MODULES, transformer="0_Transformer")})
    assert (found.space.dimensions, found.space.max_tokens) == (4, 16)
    assert found.folder == tmp_path / "tiny" / "0_Transformer"


def test_all_shards_make_the_digest(tmp_path: Path) -> None:
    """Weights in several files have one digest, which each of them changes."""
    index = {"weight_map": {"a": "one.safetensors", "b": "two.safetensors", "c": "one.safetensors"}}
    sharded = {"model.safetensors": None, "model.safetensors.index.json": index, "one.safetensors": "1"}
    digests = {
        find(tmp_path / second, **sharded, **{"two.safetensors": second}).space.weights_sha256 for second in ("2", "3")
    }
    assert len(digests) == 2
    (tmp_path / "2" / "tiny" / "two.safetensors").unlink()
    with pytest.raises(ModelMissingError, match=r"two\.safetensors"):
        discovery.find(str(tmp_path / "2" / "tiny"))


def test_dense_layers_belong_to_the_space(tmp_path: Path) -> None:
    """A layer's width, activation and weights come from its folder."""
    layer = {"in_features": 8, "out_features": 5, "activation_function": "torch.nn.modules.linear.Identity"}
    changed = {"modules.json": modules("Transformer", "Pooling", "Dense", "Normalize"), "2_Dense/config.json": layer}
    found = find(tmp_path, **changed, **{"2_Dense/model.safetensors": "a"})
    assert (found.space.dense, found.space.dimensions) == ("Identity", 5)
    assert found.dense == (tmp_path / "tiny" / "2_Dense",)
    other = find(tmp_path / "other", **changed, **{"2_Dense/model.safetensors": "b"})
    assert other.space.weights_sha256 != found.space.weights_sha256


def test_files_are_told_to_another_process(tmp_path: Path) -> None:
    """What is dumped is parsed to the same."""
    found = find(tmp_path)
    assert ModelFiles.parse(found.dump()) == found


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
        ({"modules.json": None}, ModelMissingError, "modules.json is missing: install .*; without it, it is no"),
        ({"tokenizer.json": None}, ModelMissingError, "tokenizer.json is missing: .* with a fast tokenizer"),
        ({"modules.json": "[1]"}, ModelDamagedError, "modules.json"),
        ({"config.json": "[]"}, ModelDamagedError, "config.json"),
        ({"config.json": "\xff{"}, ModelDamagedError, "config.json"),
        ({"config.json": {"hidden_size": "many"}}, ModelDamagedError, "hidden_size"),
        ({"config.json": {"hidden_size": 8}, LENGTH: None}, ModelDamagedError, "max_position_embeddings"),
        (
            {"config.json": ROBERTA | {"auto_map": {"AutoModel": "owner/code--modeling.Model"}}},
            LoadError,
            "code of its own .*owner/code--modeling.Model",
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


def test_a_wrong_digest_is_damage(tmp_path: Path) -> None:
    """Where a digest is expected, other bytes are refused by the file's name."""
    with pytest.raises(ModelDamagedError, match=r"tokenizer\.json"):
        discovery.read(ModelFolder(write(tmp_path), "fix it"), "tiny", {"tokenizer.json": "0" * 64})


def test_a_hub_id_is_found_in_the_cache(cache: Path, tmp_path: Path) -> None:
    """By id, by the path of the snapshot and by that of a copy the same model is one space."""
    base = write_cache(cache, "some-owner/tiny")
    by_id = discovery.find("some-owner/tiny")
    assert by_id.folder == base / "snapshots" / COMMIT
    assert discovery.find(str(by_id.folder)).space == find(tmp_path).space == by_id.space


@pytest.mark.parametrize(("repository", "name"), [("owner/my--model", "my--model"), ("model", "model")])
def test_a_snapshot_has_the_name_of_its_repository(repository: str, name: str, tmp_path: Path) -> None:
    """Only the dashes between the owner and the name are a slash, and some names have no owner."""
    base = write_cache(tmp_path, repository)
    assert discovery.find(str(base / "snapshots" / COMMIT)).space.model == name


@pytest.mark.parametrize("there", [True, False])
def test_an_id_that_is_not_on_disk_is_told_with_the_command(cache: Path, *, there: bool) -> None:
    """Without the model, or without its main revision, the error names what downloads it."""
    if there:
        (write_cache(cache, "some-owner/tiny") / "refs" / "main").write_text("0" * 40)
    with pytest.raises(ModelMissingError, match=r"not in the hub's cache: run .*cli.hf download some-owner/tiny"):
        discovery.find("some-owner/tiny")


@pytest.mark.parametrize("file", ["model.safetensors", SETTINGS, POOLING])
def test_a_link_to_nothing_is_told_with_the_command(cache: Path, file: str) -> None:
    """A dangling link in the cache is named, also where the file is an optional one."""
    (write_cache(cache, "some-owner/tiny") / "snapshots" / COMMIT / file).resolve().unlink()
    with pytest.raises(ModelMissingError, match=rf"{file} \(a link to what is not there\).*download some-owner/tiny"):
        discovery.find("some-owner/tiny")


def test_a_download_that_was_broken_off_is_told(cache: Path) -> None:
    """A file that is missing beside an unfinished blob says so; a leftover beside a whole model is no harm."""
    base = write_cache(cache, "some-owner/tiny")
    (base / "blobs" / "ab12.incomplete").write_text("half")
    discovery.find("some-owner/tiny")
    (base / "snapshots" / COMMIT / "model.safetensors").unlink()
    with pytest.raises(ModelMissingError, match=r"model\.safetensors is missing: its download was not finished; run "):
        discovery.find("some-owner/tiny")


def test_what_is_no_model_at_all_is_refused() -> None:
    """Neither a folder nor an id: the error says what EMBEDDER_MODEL may be."""
    with pytest.raises(ModelMissingError, match="owner/name"):
        discovery.find("no such model")


def test_without_the_hubs_library_a_folder_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """An interpreter that lacks the library says so."""
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    monkeypatch.delitem(sys.modules, "huggingface_hub.constants", raising=False)
    with pytest.raises(ModelMissingError, match=r"huggingface_hub.*folder"):
        discovery.find("some-owner/tiny")


def test_a_model_is_pinned_to_a_folder(cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A hub id becomes the folder of its revision, a folder stays itself, and what cannot be served is one sentence."""
    base = write_cache(cache, "some-owner/tiny")
    snapshot = base / "snapshots" / COMMIT
    (base / "refs" / "v1").write_text(COMMIT)
    for name in ("some-owner/tiny", "some-owner/tiny@v1", f"some-owner/tiny@{COMMIT}"):
        assert resolve_model.main(name) == 0
        assert capsys.readouterr().out == f"{snapshot}\n"
    folder = write(tmp_path / "own")
    assert resolve_model.main(str(folder)) == 0
    assert capsys.readouterr().out == f"{folder}\n"
    for name in ("some-owner/tiny@v2", "some-owner/absent", str(tmp_path / "nowhere")):
        assert resolve_model.main(name) == 12
        printed = capsys.readouterr()
        assert (printed.out, printed.err.count("\n")) == ("", 1)
