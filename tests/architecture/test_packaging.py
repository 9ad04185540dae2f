"""What is shipped agrees with the program; `make test-packaging` asks the checkers of each format as well."""

from __future__ import annotations

import json
import plistlib
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from embedder_api import __version__

from scripts import bundle, formula

ROOT = Path(__file__).parents[2]
PACKAGING = ROOT / "packaging"
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
REPOSITORY: str = PROJECT["project"]["urls"]["Homepage"]
FORMULA = formula.FORMULA.read_text(encoding="utf-8")
RESOURCE = re.compile(
    r'resource "(?P<name>[^"]+)" do\n    url "(?P<url>[^"]+)".*\n    sha256 "(?P<digest>[^"]+)"\n  end'
)
IMAGE = re.compile(r"^FROM (\S+)", re.MULTILINE)


def canonical(name: str) -> str:
    """Return a package's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pins() -> dict[str, str]:
    """Return the versions of constraints.txt."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return {canonical(name): version for name, _, version in (line.partition("==") for line in lines) if version}


def test_the_formulas_wheels_are_the_locks() -> None:
    """Each resource is a wheel that a Mac can install, in the version of constraints.txt, filed under its hash."""
    found = list(RESOURCE.finditer(FORMULA))
    assert len(found) == FORMULA.count('  resource "')
    for resource in found:
        name, version, *_, abi, platform = resource["url"].rpartition("/")[2].removesuffix(".whl").split("-")
        assert (canonical(name), version) == (resource["name"], pins()[resource["name"]])
        assert platform == "any" or platform.endswith(("_arm64", "_universal2")), resource["url"]
        assert abi in {"none", "abi3", "cp314"}
        assert re.fullmatch("[0-9a-f]{64}", resource["digest"])
        assert re.search(r"/packages/[0-9a-f]{2}/[0-9a-f]{2}/[0-9a-f]{60}/", resource["url"])
    assert [item["name"] for item in found] == sorted(item["name"] for item in found)


def test_the_formula_has_all_requirements() -> None:
    """What the front requires is among the resources, with what reads documents; nothing of the daemon's is."""
    names = {item["name"] for item in RESOURCE.finditer(FORMULA)}
    required = {canonical(re.match(r"[\w.-]+", need)[0]) for need in formula.requirements()}  # type: ignore[index]  # all match
    assert required <= names
    assert not names & {"torch", "openvino", "sentence-transformers", "transformers"}


def test_the_formula_is_what_the_template_makes() -> None:
    """Nobody edits the formula by hand, and the release's hash is put into its first place alone."""
    wheels = [
        formula.Wheel(item["name"], file, item["digest"], place)
        for item in RESOURCE.finditer(FORMULA)
        for place, _, file in [item["url"].partition("/packages/")[2].rpartition("/")]
    ]
    made = formula.formula(wheels)
    ours = re.compile(r'sha256 "\w+"')
    assert ours.sub("", made, count=1) == ours.sub("", FORMULA, count=1)


def test_a_release_puts_its_hash_into_the_formula(tmp_path: Path) -> None:
    """The first hash is our own wheel's; those of the resources stay."""
    wheel, copy = tmp_path / "memory_mcp.whl", tmp_path / "memory-mcp.rb"
    wheel.write_bytes(b"abc")
    copy.write_text(FORMULA, encoding="utf-8")
    formula.release(wheel, copy)
    text = copy.read_text(encoding="utf-8")
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # of FIPS 180-2
    assert text.replace(digest, formula.UNRELEASED) == FORMULA
    assert text.count(digest) == 1


def test_the_formulas_service_is_the_plists() -> None:
    """`brew services` restarts a crash and leaves a stop alone, as the LaunchAgent of `daemon install` does."""
    text = (ROOT / "launchd" / "com.memory-mcp.embedder.plist").read_text(encoding="utf-8")
    plist = plistlib.loads(text.encode())
    service = FORMULA.partition("  service do\n")[2].partition("  end\n")[0]
    assert plist["KeepAlive"] == {"SuccessfulExit": False}
    assert "keep_alive successful_exit: false" in service
    assert f"process_type :{plist['ProcessType'].lower()}" in service
    assert f"throttle_interval {plist['ThrottleInterval']}" in service
    assert '[opt_bin/"memory-mcp", "daemon", "start", "--no-service"]' in service


def test_the_registrys_entry_is_the_packages() -> None:
    """Name and version are the package's, the name stands in the README that the index shows, the settings exist."""
    entry = json.loads((PACKAGING / "registry" / "server.json").read_text(encoding="utf-8"))
    (package,) = entry["packages"]
    assert entry["version"] == package["version"] == __version__
    assert package["identifier"] == PROJECT["project"]["name"]
    assert entry["repository"]["url"] == REPOSITORY
    assert f"<!-- mcp-name: {entry['name']} -->" in (ROOT / "README.md").read_text(encoding="utf-8")
    reference = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    assert all(f"`{variable['name']}`" in reference for variable in package["environmentVariables"])
    assert len(entry["description"]) <= 100


def test_the_bundles_manifest_is_the_packages() -> None:
    """Its version is the package's, the Python too, and it starts the file that lies beside it."""
    manifest = json.loads((PACKAGING / "mcpb" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["version"] == __version__
    assert manifest["repository"]["url"] == manifest["author"]["url"] == REPOSITORY
    assert manifest["compatibility"]["runtimes"]["python"] == PROJECT["project"]["requires-python"]
    assert manifest["server"]["mcp_config"]["args"][-1] == manifest["server"]["entry_point"]
    assert (PACKAGING / "mcpb" / manifest["server"]["entry_point"]).is_file()
    reference = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in reference for name in manifest["server"]["mcp_config"]["env"])


def test_the_bundle_installs_the_wheel_beside_it(tmp_path: Path) -> None:
    """Nothing of it needs us to be on an index."""
    wheel = tmp_path / "memory_mcp-0-py3-none-any.whl"
    wheel.write_bytes(b"")
    bundle.stage(wheel, tmp_path / "staged")
    project = tomllib.loads((tmp_path / "staged" / "pyproject.toml").read_text(encoding="utf-8"))
    assert (tmp_path / "staged" / project["tool"]["uv"]["sources"]["memory-mcp"]["path"]).is_file()
    staged = {path.name for path in (tmp_path / "staged").iterdir()}
    assert {"manifest.json", "server.py", "LICENSE", "NOTICE"} <= staged


@pytest.mark.parametrize("name", ["front", "daemon"])
def test_the_images_run_as_nobody_in_particular(name: str) -> None:
    """An image starts from one pinned base, as a user that is not root, and its last word is our program."""
    text = (PACKAGING / "container" / f"{name}.Containerfile").read_text(encoding="utf-8")
    assert len(set(IMAGE.findall(text))) == 1
    assert all(re.search(r":[\w.-]+@sha256:[0-9a-f]{64}$", base) for base in IMAGE.findall(text))
    final = text.rpartition("\nFROM ")[2]
    assert "\nUSER 10001\n" in final
    assert re.search(r'\nENTRYPOINT \["/opt/[\w-]+/bin/(memory-mcp|embedder-daemon)"\]\n', final)
    assert 'CMD ["serve"' not in final or '"--plain-http"' in final


def test_the_index_gets_classifiers_and_addresses() -> None:
    """Every Python that is tested has its classifier, and each address is of one repository."""
    project = PROJECT["project"]
    pythons = {line.rpartition(" ")[2] for line in project["classifiers"] if re.search(r":: 3\.\d+$", line)}
    assert pythons == {"3.11", "3.12", "3.13", "3.14"}
    assert all(address.startswith(REPOSITORY) for address in project["urls"].values())
