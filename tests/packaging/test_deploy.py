"""What `deploy/` says is accepted by the checkers of its formats, and is true of the programs and their images."""

from __future__ import annotations

import functools
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from embedder_daemon.settings import DaemonSettings
from memory_mcp.server.http.readiness import PROBES
from memory_mcp.settings import Settings
from scripts.metrics import table

pytestmark = pytest.mark.packaging

ROOT = Path(__file__).parents[2]
CHECKERS = ROOT / ".venv-packaging" / "bin"
DEPLOY = ROOT / "deploy"
KUSTOMIZATION = DEPLOY / "kubernetes" / "kustomization.yaml"
MANIFESTS = sorted(set((DEPLOY / "kubernetes").glob("*.yaml")) - {KUSTOMIZATION})
FILES = sorted(path for path in DEPLOY.rglob("*") if path.is_file())
OURS = "ghcr.io/memory-mcp/"
LOADING = "import json, sys, yaml; print(json.dumps(list(yaml.safe_load_all(sys.stdin))))"


def run(*command: str | Path) -> str:
    """Run a checker, and fail with all that it says."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@functools.cache
def documents(path: Path) -> list[Any]:
    """Return the documents of a YAML file."""
    command = [str(CHECKERS / "python"), "-I", "-c", LOADING]
    done = subprocess.run(command, input=path.read_text(encoding="utf-8"), capture_output=True, text=True, check=True)
    found: list[Any] = json.loads(done.stdout)
    return found


def values(part: object, name: str) -> Iterator[Any]:
    """Yield every value of this name, however deep."""
    if isinstance(part, dict):
        yield from (value for key, value in part.items() if key == name)
    children = part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
    for child in children:
        yield from values(child, name)


def everywhere(name: str) -> Iterator[Any]:
    """Yield every value of this name in all manifests and in compose.yaml."""
    for path in [*MANIFESTS, DEPLOY / "compose.yaml"]:
        yield from values(documents(path), name)


def test_kubernetes_takes_every_manifest() -> None:
    """Each resource has the fields of its kind and no other; all of them but the job are in the kustomization."""
    run(CHECKERS / "kubernetes-validate", "--strict", "--quiet", *MANIFESTS)
    [listed] = documents(KUSTOMIZATION)
    assert sorted(listed["resources"]) == sorted(path.name for path in MANIFESTS if path.stem != "migration")


def test_a_wrong_field_would_be_said(tmp_path: Path) -> None:
    """The checker knows the kinds."""
    text = (DEPLOY / "kubernetes" / "fronts.yaml").read_text(encoding="utf-8")
    (tmp_path / "wrong.yaml").write_text(text.replace("readinessProbe:", "readynessProbe:"), encoding="utf-8")
    command = [str(CHECKERS / "kubernetes-validate"), "--strict", "--quiet", str(tmp_path / "wrong.yaml")]
    assert subprocess.run(command, capture_output=True, check=False).returncode != 0


@pytest.mark.skipif(not shutil.which("kubectl"), reason="kubectl, which knows kustomizations, is not installed")
def test_the_kustomization_is_built() -> None:
    """Everything lies in one namespace, with the images' versions."""
    built = run("kubectl", "kustomize", DEPLOY / "kubernetes")
    assert set(re.findall(r"^  namespace: (\S+)$", built, re.MULTILINE)) == {"memory-mcp"}
    assert set(re.findall(r"image: (\S+)", built)) == {f"{OURS}memory-mcp:0.1.0", f"{OURS}memory-mcp-embedder:0.1.0"}


def test_compose_takes_its_file() -> None:
    """It fits the schema of the Compose Specification."""
    run(CHECKERS / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", DEPLOY / "compose.yaml")


def test_every_variable_is_a_setting_with_a_valid_value() -> None:
    """What deploy/ names is ours; the values that stand there are accepted by the programs."""
    front = {f"MCP_MEMORY_{name.upper()}" for name in Settings.model_fields}
    daemon = {f"EMBEDDER_{name.upper()}" for name in DaemonSettings.model_fields}
    for path in FILES:
        named = set(re.findall(r"\b(?:MCP_MEMORY|EMBEDDER)_[A-Z_]*[A-Z]\b", path.read_text(encoding="utf-8")))
        assert named <= front | daemon, path
    for given in [*everywhere("data"), *(it for it in everywhere("environment") if isinstance(it, dict))]:
        fields = {name.removeprefix("EMBEDDER_").lower(): it for name, it in given.items() if name in daemon}
        DaemonSettings.model_validate(fields)
        assert {type(value) for value in given.values()} <= {str}


def test_images_are_named_alike() -> None:
    """Each image of ours has one version, which is the program's; others' have a tag that is no `latest`."""
    [kustomization] = documents(KUSTOMIZATION)
    versions = {image["name"]: image["newTag"] for image in kustomization["images"]}
    for image in everywhere("image"):
        name, _, tag = image.partition(":")
        if name.startswith(OURS):
            assert tag in {"", versions[name]}, image
        else:
            assert re.match(r"\d", tag), image


def test_ports_and_paths_are_the_images() -> None:
    """What is asked is what the programs serve, at the ports and in the folders of their images."""
    exposed = {
        name: re.findall(
            r"^EXPOSE (\d+)", (ROOT / f"packaging/container/{name}.Containerfile").read_text(), re.MULTILINE
        )
        for name in ("front", "daemon")
    }
    ports = {str(port) for port in everywhere("containerPort")}
    assert ports == {*exposed["front"], *exposed["daemon"], "9464"}
    assert {probe["path"] for probe in everywhere("httpGet")} == set(PROBES)
    asked = [check["test"] for check in everywhere("healthcheck") if "-c" in check.get("test", ())]
    for _, python, _, _, script in asked:
        assert re.search(r":(8765|9464)/readyz", script)
        image = "front" if "8765" in script else "daemon"
        text = (ROOT / f"packaging/container/{image}.Containerfile").read_text(encoding="utf-8")
        assert python.removesuffix("/bin/python") in text


def test_no_secret_stands_in_a_file() -> None:
    """Passwords, addresses with passwords, tokens and keys are named by reference."""
    for path in FILES:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"\w+://[^\s/@:]*:[^\s/@]+@", text), path
        assert "PRIVATE KEY" not in text
        assert "mm_" not in text
    assert not [document for path in MANIFESTS for document in documents(path) if document["kind"] == "Secret"]
    secret = {"MCP_MEMORY_POSTGRES_URL", "POSTGRES_PASSWORD"}
    for given in everywhere("env"):
        assert all("value" not in variable for variable in given if variable["name"] in secret)
    for given in [*everywhere("environment"), *everywhere("data")]:
        assert not secret & set(given)


def test_the_containers_have_no_rights() -> None:
    """No root, no capability, no way to get one; a bound on memory."""
    for pod in (spec for path in MANIFESTS for it in values(documents(path), "template") for spec in [it["spec"]]):
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["automountServiceAccountToken"] is False
        for container in [*pod.get("initContainers", []), *pod["containers"]]:
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
            assert container["securityContext"]["allowPrivilegeEscalation"] is False
            assert container["resources"]["limits"]["memory"]


def test_pods_have_the_time_that_they_take_to_end() -> None:
    """What a front drains and finishes fits into the grace that it is given."""
    from memory_mcp.server.http.run import GOODBYE_S  # noqa: PLC0415 - the SDK, for this test alone

    [settings, _] = documents(DEPLOY / "kubernetes" / "settings.yaml")
    [deployment, _] = documents(DEPLOY / "kubernetes" / "fronts.yaml")
    drain_s = float(settings["data"]["MCP_MEMORY_HTTP_DRAIN_S"])
    assert drain_s + GOODBYE_S < deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
    front = documents(DEPLOY / "compose.yaml")[0]["services"]["front"]
    drain_s = float(front["environment"]["MCP_MEMORY_HTTP_DRAIN_S"])
    assert drain_s + GOODBYE_S < float(front["stop_grace_period"].removesuffix("s"))


def test_it_scales_by_metrics_that_are_there() -> None:
    """Each metric of an autoscaler is made by the adapter's rules, of metrics that the programs tell."""
    known = {name for row in table() for name in row.names}
    rules = documents(DEPLOY / "prometheus-adapter.yaml")[0]["rules"]["custom"]
    for rule in rules:
        assert set(re.findall(r"\b(?:memory_mcp|embedder)_\w+", rule["seriesQuery"] + rule["metricsQuery"])) <= known
    wanted = {pods["metric"]["name"] for pods in everywhere("pods") if isinstance(pods, dict)}
    assert wanted == {rule["name"]["as"] for rule in rules}
