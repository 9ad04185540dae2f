"""The workflows use what is pinned, with no more rights than a job needs, and do on a Mac what the page lists."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from scripts import on_a_mac

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
PINS = tomllib.loads((ROOT / "packaging" / "actions.toml").read_text(encoding="utf-8"))
UNPINNED: set[str] = set()
"""Actions of which no stored snapshot has a commit; they are used by their version until somebody looks it up."""
PAGE = (ROOT / "docs" / "macos.md").read_text(encoding="utf-8")
USES = re.compile(r"uses: (?P<action>[^@\s]+)@(?P<at>\S+)(?: # (?P<version>\S+))?")


def test_every_action_is_pinned_by_a_commit_that_was_read() -> None:
    """As packaging/actions.toml has it, which says where each was read; what could not be pinned is listed."""
    used = [found for file in WORKFLOWS for found in USES.finditer(file.read_text(encoding="utf-8"))]
    assert len(WORKFLOWS) == 3
    for found in used:
        if found["action"] not in UNPINNED:
            pin = PINS[found["action"]]
            assert (found["at"], found["version"]) == (pin["commit"], pin["version"])
    assert {found["action"] for found in used} == PINS.keys() | UNPINNED
    assert all(re.fullmatch("[0-9a-f]{40}", pin["commit"]) and pin["read_in"] for pin in PINS.values())


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_a_workflow_has_no_rights_but_those_of_its_jobs(file: Path) -> None:
    """None for the workflow as a whole; writing is for the one job that publishes, and no secret is named."""
    text = file.read_text(encoding="utf-8")
    assert "\npermissions: {}\n" in text
    jobs = re.split(r"\n  (?=[\w-]+:\n)", text.partition("\njobs:\n")[2])
    writing = {job.partition(":")[0].strip() for job in jobs if re.search(r": write\b", job)}
    assert writing == ({"publish"} if file.name == "release.yml" else set())
    assert "secrets." not in text
    assert text.count("actions/checkout@") == text.count("persist-credentials: false")


def test_every_python_that_the_package_promises_is_tested() -> None:
    """On Linux each of them, on a Mac the oldest and the newest."""
    text = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    promised = re.findall(r"Python :: (3\.\d+)", (ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    linux, mac = re.findall(r"python: \[(.+)\]", text)
    assert re.findall(r"3\.\d+", linux) == promised
    assert re.findall(r"3\.\d+", mac) == [promised[0], promised[-1]]


def rows() -> dict[str, str]:
    """Return the rows of the page's matrix, without the clients' files: what is tried, and the whole row."""
    matrix = PAGE.partition("\n# What was proved")[2]
    lines = [line for part in matrix.split("\n## ") if "\n| what |" in part for line in part.splitlines()]
    cells = {line.split(" | ")[0].removeprefix("| "): line for line in lines if line.startswith("| ")}
    return {what: line for what, line in cells.items() if what != "what"}


def test_a_mac_is_asked_every_row_of_the_page() -> None:
    """Each row is a step of the job, or for a person with the reason; no step is without its row."""
    steps = [step.row for step in on_a_mac.STEPS]
    assert len(steps) == len(set(steps))
    assert not set(steps) & on_a_mac.BY_HAND.keys()
    assert set(steps) | on_a_mac.BY_HAND.keys() == rows().keys()
    assert "scripts.on_a_mac" in (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")


@pytest.mark.parametrize("step", on_a_mac.STEPS, ids=lambda step: step.row)
def test_a_step_types_what_the_page_says(step: on_a_mac.Step) -> None:
    """The row's first command is part of the step."""
    what_to_type = rows()[step.row].split(" | ")[2]
    commands = re.findall(r"`((?:memory-mcp|launchctl|plutil|brew|python|chmod) [^`]+)`", what_to_type)
    assert all(command in step.script for command in commands[:1])
    re.compile(step.says)
