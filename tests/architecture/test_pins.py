"""A version that is pinned in several places is the same in all of them."""

from __future__ import annotations

import re
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from memory_common import pins
from memory_common.engines import ENGINES

ROOT = Path(__file__).parents[2]
LEFT_OUT = {"tests", "shared", "build", "dist"}
"""Tests make packages up, with versions of their own."""
KINDS = {".py", ".md", ".toml", ".txt", ".lock", ".yml", ".yaml", ".sh", ".proto", ".html"}
PIN = re.compile(r"(?<![\w.-])([A-Za-z][\w.-]*)(?:\[[\w,]+\])?==(\d[\w.+]*)")


def texts() -> Iterator[tuple[str, str]]:
    """Yield the name and the text of every file of the project in which a pin may stand."""
    for folder in (path for path in sorted(ROOT.iterdir()) if path.name not in LEFT_OUT and path.name[0] != "."):
        for path in [folder] if folder.is_file() else sorted(folder.rglob("*.*")):
            if path.is_file() and path.suffix in KINDS | {folder.suffix}:
                yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8", errors="replace")


def text_of(name: str) -> str:
    """Return the text of a file of the project."""
    return (ROOT / name).read_text(encoding="utf-8")


def test_a_package_has_one_version_wherever_it_is_pinned() -> None:
    """Wherever people pin it, in code, lists and docs; what is resolved alone may differ between the interpreters."""
    places: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for name, text in texts():
        for package, version in PIN.findall(text):
            places[package.lower().replace("_", "-")][version].append(name)
    assert {"memory_common/pins.py", "embedder_daemon/onnx.lock", "constraints.txt"} <= set(
        places["onnx"][pins.ONNX.partition("==")[2]]
    )
    by_hand = {package for package, versions in places.items() if any(map(is_by_hand, chain(*versions.values())))}
    assert {package: dict(places[package]) for package in by_hand if len(places[package]) > 1} == {}


def is_by_hand(name: str) -> bool:
    """Whether people write what a file pins, and not a resolver."""
    return name != "constraints.txt" and not name.endswith(".lock")


def test_the_pins_that_are_made_from_a_version_stand_where_pip_and_readers_look() -> None:
    """Torch and the model in words of the requirements, README and NOTICE, openvino where pip reads it."""
    requirements = text_of("embedder_daemon/requirements.txt")
    for pin in (f"torch=={pins.TORCH}", pins.MODEL, pins.OPENVINO):
        assert re.search(rf"{re.escape(pin)}(?![\w.])", requirements), pin
    assert f"torch=={pins.TORCH}`" in text_of("README.md")
    assert all(said in text_of("NOTICE") for said in (*named_packages(), *digests()))


def named_packages() -> list[str]:
    """Return the packages of the models, as NOTICE writes them."""
    return [pin.replace("==", " ") for pin in (pins.MODEL, pins.MULTILINGUAL_PACKAGE)]


def digests() -> tuple[str, ...]:
    """Return the digests of the models that have a name of ours."""
    multilingual = (pins.MULTILINGUAL_WEIGHTS_SHA256, pins.MULTILINGUAL_TOKENIZER_SHA256)
    return pins.WEIGHTS_SHA256, pins.TOKENIZER_SHA256, *multilingual


def test_the_models_digests_stand_in_the_code_once() -> None:
    """Whoever verifies the model, on installing it or on loading it, compares with the same."""
    for digest in digests():
        assert [name for name, text in texts() if digest in text] == ["NOTICE", "memory_common/pins.py"]


def test_both_interpreters_share_the_runtime_of_the_wire() -> None:
    """The stubs refuse an older one, so that it is pinned in the front's list and in the daemon's."""
    front = tomllib.loads(text_of("pyproject.toml"))["project"]["dependencies"]
    shared = [{package for package, _ in PIN.findall(text)} for text in ("\n".join(front), daemon_list())]
    assert {"grpcio", "grpcio-health-checking", "protobuf"} <= shared[0] & shared[1]


def daemon_list() -> str:
    """Return the requirements without what is said about them."""
    return "\n".join(line.partition("#")[0] for line in text_of("embedder_daemon/requirements.txt").splitlines())


def test_every_engine_of_the_registry_is_there() -> None:
    """Its module is, its pin names a package of an interpreter's list, and the page of settings names it."""
    listed = daemon_list() + text_of("constraints.txt") + f"torch=={pins.TORCH}"
    for name, entry in ENGINES.items():
        assert (ROOT / "embedder_daemon" / "engines" / f"{entry.module}.py").is_file()
        assert entry.pin in listed
        assert entry.package == "" or f"{name}" in text_of("docs/reference.md")
