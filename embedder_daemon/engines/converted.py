"""Converted models on disk: made once in a separate process, verified at every use. Imports no model library."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from subprocess import TimeoutExpired
from typing import Final

from embedder_daemon import logs
from embedder_daemon.engines import autotune_result, cache, golden
from embedder_daemon.errors import INSTALL, EngineMissingError, LoadError
from embedder_daemon.model.space import ModelFiles
from embedder_daemon.system import child_process
from memory_common import pins
from memory_common.engines import ENGINES
from memory_common.file_lock import locked
from memory_common.whole_folder import UNFINISHED, replacing

DIGESTS: Final = "sha256.json"
_ORIGIN: Final = "model.path"
"""A file in a conversion with the folder of its model."""
INPUTS: Final = ("input_ids", "attention_mask")
_CONVERT_S: Final = 600.0


@dataclass(frozen=True, slots=True)
class EngineFormat:
    """A format that models are converted to."""

    engine: str
    package: str
    """The package that runs it; if `versioned`, a conversion is valid for one version of it."""
    versioned: bool
    files: tuple[str, ...]
    """The first is the graph."""
    module: str
    """The converter, run in a separate process; its arguments are the model's files as JSON and the target folder."""
    recipe: int
    """Increases when `module` changes its output for the same model."""
    needs: str
    """What a conversion needs besides the package."""
    variant: str = ""
    """Distinguishes conversions by one module; passed as its last argument unless empty."""
    own: str = ""
    """The path in a model's folder of a graph that comes with the model."""


OPENVINO: Final = EngineFormat(
    engine="openvino",
    package=ENGINES["openvino"].package,
    versioned=True,
    files=("model.xml", "model.bin"),
    module="convert",
    recipe=2,
    needs=f"torch: {INSTALL}",
)
OPENVINO_HALF: Final = replace(OPENVINO, variant="half")
"""With float16 weights, which take half the memory; bfloat16 keeps even fewer of their digits."""
ONNX: Final = EngineFormat(
    engine="onnx",
    package=ENGINES["onnx"].package,
    versioned=False,
    files=("model.onnx",),
    module="onnx_convert",
    recipe=2,
    needs=f"torch and onnx: run `memory-mcp daemon install --engine onnx`, or pip install {pins.ONNX}",
    own="onnx/model.onnx",
)

FORMATS: Final = {
    ("openvino", "float32"): OPENVINO,
    ("openvino", "bfloat16"): OPENVINO_HALF,
    ("onnx", "float32"): ONNX,
}
"""The format that an engine reads for a precision; others read the model's own files."""


def graph(files: ModelFiles, kind: EngineFormat) -> Path:
    """Return the graph for the engine: the model's own file, else that of the conversion.

    Raises:
        ModuleNotFoundError: the package is not installed.
        LoadError: the model's own file cannot be verified, or as `ready`.
        EngineMissingError: as `ready`.
    """
    _version(kind.package)  # before a conversion that nobody could run
    own = files.folder / kind.own
    if not kind.own or not own.is_file():
        return ready(files, kind) / kind.files[0]
    if golden.find(files.space) is None:  # it could be another model's file, served under this one's name
        raise LoadError(
            f"{own} is not covered by a digest, and there are no golden vectors to compare it with: "
            f"run {autotune_result.FIX} with torch installed, or delete the file"
        )
    return own


def ready(files: ModelFiles, kind: EngineFormat) -> Path:
    """Return the folder of the converted model; converts it if it is missing, incomplete or damaged.

    Raises:
        EngineMissingError: a package that the conversion needs is not installed.
        LoadError: the model cannot be converted, or the cache folder cannot be written.
    """
    folder = place(files, kind)
    if not is_sound(folder, kind):
        logs.get().info(f"converting the model for {kind.engine}, once", folder=str(folder))
        try:
            _make(files, kind, folder)
        except (OSError, TimeoutExpired) as error:
            raise LoadError(f"the converted model could not be written to {folder}: {error}") from error
    return folder


def place(files: ModelFiles, kind: EngineFormat) -> Path:
    """Return the folder for the converted model, named by weights, configuration, further steps and format."""
    model = f"{files.space.weights_sha256[:32]}{files.space.config_sha256[:16]}"
    name = f"{model}-{files.head}-{kind.recipe}-{kind.engine}{kind.variant}"
    return cache.folder() / "converted" / (f"{name}-{_version(kind.package)}" if kind.versioned else name)


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError as error:
        raise ModuleNotFoundError(f"No module named {package!r}", name=package) from error


def seal(folder: Path, kind: EngineFormat) -> None:
    """Record the digests of a conversion, as its last step."""
    digests = {name: _sha256(folder / name) for name in kind.files}
    (folder / DIGESTS).write_text(json.dumps(digests), encoding="utf-8")


def is_sound(folder: Path, kind: EngineFormat) -> bool:
    """Whether all files exist and have the recorded digests."""
    try:
        digests = json.loads((folder / DIGESTS).read_bytes())
        return bool(digests == {name: _sha256(folder / name) for name in kind.files})
    except (OSError, ValueError):
        return False


def _make(files: ModelFiles, kind: EngineFormat, folder: Path) -> None:
    """Convert, one process at a time; where another was faster, its result is as good."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with locked(folder.parent.with_name(f"{folder.parent.name}.lock")):
        _tidy(files, folder, kind)
        if is_sound(folder, kind):
            return
        with replacing(folder) as draft:
            _run(files, kind, draft)
            (draft / _ORIGIN).write_text(str(files.folder), encoding="utf-8")


def _tidy(files: ModelFiles, folder: Path, kind: EngineFormat) -> None:
    """Remove interrupted conversions, those of other versions, and those of this model before it changed.

    No conversion may be running.
    """
    gone = list(folder.parent.glob(f"{UNFINISHED}*"))
    for recipe in range(1, kind.recipe):
        older = f"{files.space.weights_sha256[:32]}*-{files.head}-{recipe}-{kind.engine}{kind.variant}"
        gone += folder.parent.glob(f"{older}-*" if kind.versioned else older)
    if kind.versioned:
        name = folder.name.removesuffix(_version(kind.package))
        gone += [path for path in folder.parent.glob(f"{name}*") if path != folder]
    same = f"*-{files.head}-{kind.recipe}-{kind.engine}{kind.variant}"
    others = folder.parent.glob(f"{same}-*" if kind.versioned else same)
    gone += [path for path in others if path != folder and _origin(path) == str(files.folder)]
    for path in gone:
        shutil.rmtree(path, ignore_errors=True)


def _origin(folder: Path) -> str:
    """Return the folder of a conversion's model; empty if it was not recorded."""
    try:
        return (folder / _ORIGIN).read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""


def _run(files: ModelFiles, kind: EngineFormat, target: Path) -> None:
    try:
        with _lifeline() as stdin:
            arguments = (files.dump(), str(target), kind.variant)
            child_process.run(f"engines.{kind.module}", *arguments, timeout_s=_CONVERT_S, stdin=stdin)
    except child_process.ChildError as error:
        if str(error).startswith("ModuleNotFoundError"):
            raise EngineMissingError(f"converting the model for {kind.engine} needs {kind.needs} ({error})") from error
        raise LoadError(f"the model {files.folder} could not be converted for {kind.engine}: {error}") from error


@contextmanager
def _lifeline() -> Iterator[int]:
    """Yield a pipe for a child to read from; it closes when this process exits."""
    ours, end = os.pipe()
    try:
        yield ours
    finally:
        os.close(ours)
        os.close(end)


def end_with_parent() -> None:
    """End this process, a converter, when its parent is gone for whatever reason."""

    def wait() -> None:
        os.read(sys.stdin.fileno(), 1)  # unbuffered: Python crashes at exit if a thread holds a buffer's lock
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
