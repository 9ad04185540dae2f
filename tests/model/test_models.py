"""Other models than the bundled one, against sentence-transformers on the same folder."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from embedder_api.v1 import embedder_pb2, wire

from embedder_daemon.engines import converted, factory
from embedder_daemon.engines.base import EmbedTask, Engine, EngineOptions
from embedder_daemon.errors import LoadError
from embedder_daemon.model import config, discovery
from embedder_daemon.model.folder import WEIGHTS
from embedder_daemon.model.space import ModelFiles
from tests.daemon.daemonkit import until
from tests.model.conftest import ROOT, running
from tests.model.corpus import made_texts

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from safetensors import torch as safetensors
    from sentence_transformers import SentenceTransformer

    from embedder_daemon.engines import convert, tokens
    from tests.model import tiny
else:  # the light interpreter collects this file too
    np = pytest.importorskip("numpy")
    safetensors = pytest.importorskip("safetensors.torch")
    SentenceTransformer = pytest.importorskip("sentence_transformers").SentenceTransformer
    convert = pytest.importorskip("embedder_daemon.engines.convert")
    tokens = pytest.importorskip("embedder_daemon.engines.tokens")
    tiny = pytest.importorskip("tests.model.tiny")

TEXTS = [*made_texts(24), "one", "UPPER and lower"]
UNKNOWN = {"__type": "AddedToken", "content": "[UNK]", "lstrip": False, "rstrip": False, "normalized": False}
ENGINES = pytest.mark.parametrize("engine", ["torch", "openvino"])


@pytest.fixture(scope="module", params=tiny.KINDS)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write one model of each kind."""
    name: str = request.param
    return tiny.KINDS[name](tmp_path_factory.mktemp(name))


def serving(engine: str, files: ModelFiles, home: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """Load it in this process, which has torch; so is it converted, into the cache under `home`."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(home))
    if engine == "openvino":
        place = converted.place(files, converted.OPENVINO)
        place.mkdir(parents=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch.jit, which openvino uses
            convert.convert(files, place, converted.OPENVINO)
    return factory.create(engine, EngineOptions(device="cpu", precision="float32", threads=1), files)


def reference(folder: Path, max_tokens: int, dimensions: int | None = None) -> SentenceTransformer:
    """Load it with the library, whose own length for RoBERTa is more than there are positions."""
    library = SentenceTransformer(str(folder), device="cpu", local_files_only=True, truncate_dim=dimensions)
    library.max_seq_length = max_tokens
    return library


def expected(library: SentenceTransformer, prompt: str | None) -> NDArray[np.float64]:
    """Return the library's vectors of the texts."""
    return library.encode(TEXTS, prompt=prompt, convert_to_numpy=True).astype(np.float64)


def unpacked(rows: Iterable[bytes]) -> NDArray[np.float64]:
    """Return vectors as an array."""
    return np.array([wire.unpack(row) for row in rows])


def cosines(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the cosine of each pair, and check that ours are of length 1."""
    assert np.abs(np.linalg.norm(ours, axis=1) - 1).max() < 1e-5
    products: NDArray[np.float64] = (ours * theirs).sum(axis=1) / np.linalg.norm(theirs, axis=1)
    return products


@ENGINES
def test_every_kind_of_model_equals_sentence_transformers(
    engine: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each task's vectors and token counts are the library's with that task's prompt, for texts of all lengths."""
    served = serving(engine, discovery.find(str(folder)), tmp_path, monkeypatch)
    library = reference(folder, served.facts.max_tokens)
    for name, task in (("query", EmbedTask.QUERY), ("passage", EmbedTask.DOCUMENT)):
        prompt = library.prompts.get(name) or ""
        encoded, theirs = served.encode(TEXTS, task), expected(library, prompt)
        ours = unpacked(served.forward(encoded))
        assert cosines(ours, theirs).min() > 0.9999
        counts = [len(ids) for ids in library.tokenizer([prompt + text for text in TEXTS])["input_ids"]]
        assert [text.token_count for text in encoded] == counts
        assert any(text.truncated for text in encoded)
        assert np.corrcoef(theirs).min() < 0.9  # random weights that tell texts apart
        if prompt:
            assert cosines(ours, expected(library, "")).min() < 0.999


@pytest.mark.parametrize("kind", ["modernbert", "mistral"])
@ENGINES
def test_a_short_text_beside_a_long_one_is_computed(
    engine: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where attention is local, what is mostly padding has the vector that it has alone."""
    served = serving(engine, discovery.find(str(tiny.KINDS[kind](tmp_path))), tmp_path, monkeypatch)
    encoded = served.encode(["a", "one two", *TEXTS], EmbedTask.DOCUMENT)
    long = max(encoded, key=lambda text: len(text.ids))
    assert len(long.ids) > 90
    alone = unpacked(served.forward([text])[0] for text in encoded)
    beside = unpacked(served.forward([text, long])[0] for text in encoded)
    assert np.abs(alone - beside).max() < 1e-5


@pytest.mark.parametrize("kind", ["openvino", "onnx"])
def test_a_wrong_conversion_is_not_served(kind: str, tmp_path: Path) -> None:
    """What computes other vectors than torch is refused, in a sentence that says so, and nothing is kept of it."""
    folder = tiny.longformer(tmp_path)
    with running(tmp_path, kind, "float32", EMBEDDER_MODEL=str(folder), EMBEDDER_THREADS="1") as daemon:
        assert daemon.process.wait(120) == 15
        log = daemon.log.read_text()
    assert "could not be converted" in log
    if kind == "openvino":
        assert "it computes other vectors than torch: cosine 0." in log
        assert "set EMBEDDER_ENGINE=torch" in log
    assert not any((tmp_path / "memory-mcp" / "converted").iterdir())
    with running(tmp_path, "torch", "float32", EMBEDDER_MODEL=str(folder), EMBEDDER_THREADS="1") as daemon:
        assert daemon.ready().embed("a text").dimensions == 32


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"do_lower_case": False},
        {"do_lower_case": True, "strip_accents": False},
        {"do_lower_case": False, "strip_accents": True, "tokenize_chinese_chars": False},
        {"do_lower_case": False, "unk_token": UNKNOWN},
    ],
    ids=str,
)
def test_a_plain_bert_tokenizer_equals_sentence_transformers(settings: dict[str, object], tmp_path: Path) -> None:
    """Without a fast tokenizer's file the vocabulary and the settings beside it count, as the library reads them."""
    texts = [
        *TEXTS,
        "ÀÉÎ Ünïcode",
        "日本 text 語",
        "[SEP] in [UNK] between",
        "tabs\tand\u200bzero\x00widths",
        "co-op, U.S.A!",
    ]
    folder = tiny.plain(tmp_path, **settings)
    engine = factory.create("torch", EngineOptions(device="cpu"), discovery.find(str(folder)))
    library = reference(folder, engine.facts.max_tokens)
    encoded = engine.encode(texts, EmbedTask.DOCUMENT)
    prompt = library.prompts["passage"] or ""
    theirs = library.tokenizer([prompt + text for text in texts], truncation=True, max_length=48)["input_ids"]
    assert [list(text.ids) for text in encoded] == theirs


@pytest.mark.parametrize(
    "settings",
    [
        {"do_lower_case": False},
        {"tokenizer_class": "BertTokenizer"},
        {"tokenizer_class": "BertTokenizer", "do_lower_case": False, "unk_token": "[PAD]"},
        {"tokenizer_class": "LayoutLMTokenizer", "strip_accents": False},
        {"tokenizer_class": "SqueezeBertTokenizer", "do_lower_case": False},
        {"tokenizer_class": "LxmertTokenizer", "tokenize_chinese_chars": False},
        {"tokenizer_class": "ConvBertTokenizer", "do_lower_case": False},
        {"tokenizer_class": "MPNetTokenizer", "cls_token": "[CLS]", "sep_token": "[SEP]", "do_lower_case": False},
    ],
    ids=str,
)
@pytest.mark.parametrize("lower_case", [True, False])
def test_a_fast_bert_tokenizer_equals_sentence_transformers(
    settings: dict[str, object], tmp_path: Path, *, lower_case: bool
) -> None:
    """What tokenizer_config.json says, or leaves to the usual, counts as it does in the library."""
    texts = ["ÀÉÎ Ünïcode", "日本 text 語", "The Spare KEY of Marta"]
    folder = tiny.bert(tmp_path)
    fast = json.loads((folder / "tokenizer.json").read_text())
    fast["normalizer"] = {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True}
    fast["normalizer"] |= {"strip_accents": None, "lowercase": lower_case}
    (folder / "tokenizer.json").write_text(json.dumps(fast))
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    (folder / "sentence_bert_config.json").write_text('{"max_seq_length": 48}')
    (folder / "config_sentence_transformers.json").unlink()
    encoded = tokens.Tokeniser(discovery.find(str(folder))).encode(texts, EmbedTask.DOCUMENT)
    theirs = reference(folder, 48).tokenizer(texts)["input_ids"]
    assert [list(text.ids) for text in encoded] == theirs


def test_a_length_above_the_positions_is_cut(tmp_path: Path) -> None:
    """A model whose files declare a longer text than it has positions for computes the beginning of such a text."""
    folder = tiny.bert(tmp_path)
    (folder / "sentence_bert_config.json").write_text('{"max_seq_length": 512}')
    engine = factory.create("torch", EngineOptions(device="cpu"), discovery.find(str(folder)))
    (text,) = engine.encode(["many words " * 100], EmbedTask.DOCUMENT)
    assert (engine.facts.max_tokens, len(text.ids), text.truncated) == (64, 64, True)
    assert wire.is_sound(engine.forward([text])[0])


def test_another_configuration_is_another_space_and_another_conversion(tmp_path: Path) -> None:
    """When the heads are corrected, openvino computes what torch does, and nothing old is served or kept."""
    folder = tiny.bert(tmp_path)
    spaces, answers = set(), []
    for heads in (2, 4):
        config = json.loads((folder / "config.json").read_text()) | {"num_attention_heads": heads}
        (folder / "config.json").write_text(json.dumps(config))
        for engine in ("torch", "openvino"):
            with running(tmp_path, engine, "float32", EMBEDDER_MODEL=str(folder), EMBEDDER_THREADS="1") as daemon:
                answer = daemon.ready().embed(*TEXTS)
            spaces.add(answer.space_id)
            answers.append(unpacked(wire.split_rows(answer.vectors, answer.dimensions, len(answer.items))))
    assert len(spaces) == 2
    assert cosines(answers[0], answers[1]).min() > 0.9999
    assert cosines(answers[2], answers[3]).min() > 0.9999
    assert cosines(answers[0], answers[2]).min() < 0.999
    assert len([path for path in (tmp_path / "memory-mcp" / "converted").iterdir() if path.is_dir()]) == 1


def test_prompts_of_a_known_family_and_of_the_settings_are_put_before_texts(tmp_path: Path) -> None:
    """The vectors are the library's with these prompts, and Info tells them."""
    folder = tiny.bert(tmp_path).rename(tmp_path / "multilingual-e5-small")
    (folder / "config_sentence_transformers.json").unlink()
    library = reference(folder, 48)
    for settings, query in (({}, "query: "), ({"EMBEDDER_QUERY_PROMPT": "Find: "}, "Find: ")):
        surroundings = {"EMBEDDER_MODEL": str(folder), "EMBEDDER_THREADS": "1", **settings}
        with running(tmp_path, "torch", "float32", **surroundings) as daemon:
            info = daemon.ready().info()
            assert (info.query_prompt, info.document_prompt) == (query, "passage: ")
            for task, prompt in ((embedder_pb2.TASK_QUERY, query), (embedder_pb2.TASK_DOCUMENT, "passage: ")):
                answer = daemon.embed(*TEXTS, task=task)
                ours = unpacked(wire.split_rows(answer.vectors, answer.dimensions, len(answer.items)))
                assert cosines(ours, expected(library, prompt)).min() > 0.9999


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_huge_texts_take_little_memory_and_give_it_back(cache_home: Path) -> None:
    """Four texts of 15 MB in one call, of prose and of ideograms, take no gigabytes, and are told as what they are."""
    prose = "The boat house is old, and nobody knows who has its key. "
    texts = [
        (words * (15_000_000 // len(words.encode()) + 1)) for words in (prose, "Grüße, ", "日本語テキスト", "a-b ")
    ]
    with running(cache_home, "openvino", "float32") as daemon:
        status = Path(f"/proc/{daemon.ready().process.pid}/status")
        daemon.embed("a text")
        before = resident_mb(status, "VmRSS")
        answer = daemon.embed(*texts)
        assert [item.error for item in answer.items] == [""] * 4
        assert all(item.truncated and 200 < item.consumed_chars < 1500 for item in answer.items)
        beginnings = [text[: item.consumed_chars] for text, item in zip(texts, answer.items, strict=True)]
        whole = daemon.embed(*beginnings)
        assert [item.truncated for item in whole.items] == [False] * 4
        assert (
            np.abs(
                unpacked(wire.split_rows(answer.vectors, 384, 4)) - unpacked(wire.split_rows(whole.vectors, 384, 4))
            ).max()
            < 1e-5
        )
        for text, item, part in zip(texts, answer.items, whole.items, strict=True):
            assert item.token_count == pytest.approx(part.token_count * len(text) / part.consumed_chars, rel=0.1)
        assert resident_mb(status, "VmHWM") - before < 900
        until(lambda: resident_mb(status, "VmRSS") - before < 200, "the memory is given back", 20)


def resident_mb(status: Path, kind: str) -> int:
    """Return a line of a process's status, in MB."""
    return int(status.read_text().partition(f"{kind}:")[2].split()[0]) // 1024


@ENGINES
def test_every_pooling_equals_sentence_transformers(
    engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All the poolings, one behind the other, alone and in a batch."""
    folder = tiny.bert(tmp_path, *config.POOLINGS)
    served = serving(engine, discovery.find(str(folder)), tmp_path, monkeypatch)
    library = reference(folder, served.facts.max_tokens)
    encoded, theirs = served.encode(TEXTS, EmbedTask.QUERY), expected(library, library.prompts["query"])
    for rows in (served.forward(encoded), [served.forward([text])[0] for text in encoded]):
        ours = unpacked(rows)
        lengths = [np.linalg.norm(ours[:, start : start + 32], axis=1) for start in range(0, 192, 32)]
        assert min(length.min() for length in lengths) > 1e-3  # each of them weighs something
        assert cosines(ours, theirs).min() > 0.9999


@pytest.mark.parametrize("gone", ["encoder.layer.1.", "embeddings.word_embeddings."])
def test_weights_that_are_not_all_there_are_refused(gone: str, tmp_path: Path) -> None:
    """Nothing is made up for a layer that the file lacks, and the error names what is missing."""
    folder = tiny.bert(tmp_path)
    left_out(folder, gone)
    with pytest.raises(LoadError, match=rf"no weights for .*{gone}"):
        factory.create("torch", EngineOptions(device="cpu"), discovery.find(str(folder)))


def test_the_head_behind_the_tokens_may_be_missing(tmp_path: Path) -> None:
    """What pools for another task is not computed, and most models are saved without it."""
    folder = tiny.bert(tmp_path)
    left_out(folder, "pooler.")
    engine = factory.create("torch", EngineOptions(device="cpu"), discovery.find(str(folder)))
    theirs = expected(library := reference(folder, engine.facts.max_tokens), library.prompts["query"])
    assert cosines(unpacked(engine.forward(engine.encode(TEXTS, EmbedTask.QUERY))), theirs).min() > 0.9999


def left_out(folder: Path, prefix: str) -> None:
    """Take what begins with the prefix out of the weights."""
    file = str(folder / WEIGHTS)
    weights = safetensors.load_file(file)
    kept = {name: tensor for name, tensor in weights.items() if not name.startswith(prefix)}
    assert len(kept) < len(weights)
    safetensors.save_file(kept, file, {"format": "pt"})


def test_a_hub_id_is_served_and_cut_by_the_daemon(tmp_path: Path) -> None:
    """Under HF_HOME a model is found by its id, is converted, and gives the library's vectors of fewer dimensions."""
    folder = tiny.bert(tmp_path)
    base = tmp_path / "hf" / "hub" / "models--some-owner--model"
    (base / "refs").mkdir(parents=True)
    (base / "refs" / "main").write_text("c0ffee")
    shutil.copytree(folder, base / "snapshots" / "c0ffee", copy_function=os.symlink)
    space = discovery.find(str(folder), 16).space
    theirs = expected(library := reference(folder, space.max_tokens, 16), library.prompts["query"])
    with running(tmp_path, "openvino", "float32", **hub(tmp_path, "some-owner/model", "16")) as daemon:
        answer = daemon.ready().embed(*TEXTS, task=embedder_pb2.TASK_QUERY)
        assert (answer.dimensions, daemon.info().dimensions, answer.space_id) == (16, 16, space.space_id)
        ours = unpacked(wire.split_rows(answer.vectors, answer.dimensions, len(answer.items)))
        assert cosines(ours, theirs).min() > 0.9999


def test_an_id_that_was_not_downloaded_ends_the_start_at_once(tmp_path: Path) -> None:
    """The log says which command downloads it, and nobody asks the hub."""
    with running(tmp_path, "torch", "float32", **hub(tmp_path, "some-owner/absent")) as daemon:
        assert daemon.process.wait(20) == 12
        assert "-m huggingface_hub.cli.hf download some-owner/absent" in daemon.log.read_text()


def hub(home: Path, name: str, dimensions: str = "0") -> dict[str, str]:
    """Return the variables that serve a model of the hub's cache under `home`, where no hub can be reached."""
    where = {"HF_HOME": str(home / "hf"), "HF_ENDPOINT": "http://127.0.0.1:9"}
    return {"EMBEDDER_MODEL": name, "EMBEDDER_DIMENSIONS": dimensions, "EMBEDDER_THREADS": "1", **where}


def test_the_command_that_downloads_exists() -> None:
    """What the errors name is a program of this interpreter."""
    command = [sys.executable, "-m", "huggingface_hub.cli.hf", "download", "--help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "REPO_ID" in done.stdout
