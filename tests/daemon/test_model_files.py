"""The files of a model: its tokenizer's, its digests, and where they lie on this disk."""

from __future__ import annotations

import sys
import types
from pathlib import Path

import pytest

from embedder_daemon import resolve_model
from embedder_daemon.errors import ModelDamagedError, ModelMissingError
from embedder_daemon.model import discovery
from embedder_daemon.model.folder import ModelFolder
from embedder_daemon.model.space import ModelFiles
from tests.daemon.modelfiles import COMMIT, POOLING, SETTINGS, find, write, write_cache

LENGTH = "sentence_bert_config.json"
BERT = {"hidden_size": 8, "max_position_embeddings": 64, "pad_token_id": 1}


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a hub's cache; the library that knows where it lies is not in the light interpreter."""
    constants = types.ModuleType("huggingface_hub.constants")
    constants.__dict__["HF_HUB_CACHE"] = str(tmp_path / "hub")
    monkeypatch.setitem(sys.modules, "huggingface_hub", types.ModuleType("huggingface_hub"))
    monkeypatch.setitem(sys.modules, "huggingface_hub.constants", constants)
    return tmp_path / "hub"


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


def test_a_wrong_digest_is_damage(tmp_path: Path) -> None:
    """Where a digest is expected, other bytes are refused by the file's name."""
    with pytest.raises(ModelDamagedError, match=r"tokenizer\.json"):
        discovery.read(ModelFolder(write(tmp_path), "fix it"), "tiny", {"tokenizer.json": "0" * 64})


def test_files_are_told_to_another_process(tmp_path: Path) -> None:
    """What is dumped is parsed to the same."""
    found = find(tmp_path)
    assert ModelFiles.parse(found.dump()) == found


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
    with pytest.raises(ModelMissingError, match=rf"{file} \(a dangling link\).*download some-owner/tiny"):
        discovery.find("some-owner/tiny")


def test_a_download_that_was_broken_off_is_told(cache: Path) -> None:
    """A file that is missing beside an unfinished blob says so; a leftover beside a whole model is no harm."""
    base = write_cache(cache, "some-owner/tiny")
    (base / "blobs" / "ab12.incomplete").write_text("half")
    discovery.find("some-owner/tiny")
    (base / "snapshots" / COMMIT / "model.safetensors").unlink()
    with pytest.raises(ModelMissingError, match=r"model\.safetensors is missing: its download is incomplete; run "):
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
