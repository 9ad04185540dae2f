"""Sets of memories with questions and their right answers, and how well a search does on them.

A set is a folder with corpus.jsonl (`_id`, `title`, `text`; `group` where a query is answered from its own group alone,
`session` where a document is a turn of one, `date`), queries.jsonl (`_id`, `text`, `group`) and qrels.tsv (query,
document, grade). More are made here: turns that are stored without their conversation, functions of Python's library,
and questions in one language on paragraphs in another (XQuAD's have the same ids in all its languages).
"""

from __future__ import annotations

import ast
import collections
import contextlib
import json
import math
import random
import re
import sysconfig
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import permutations
from pathlib import Path

ANY = "default"
"""The namespace of what has no group."""

XQUAD, BETWEEN = "xquad_", "_on_"
TURNS, ALONE, CODE = "locomo_dev_turn", "turns_alone", "code"

DATES = ("%I:%M %p on %d %B, %Y", "%B-%d-%Y", "%Y-%m-%d")
SAME_DATE = timedelta(hours=12)
"""A document is of the date of the one before it as long as that is no further from it."""

FUNCTIONS, ASKED = 2_500, 600
SKIPPED = {"test", "idlelib", "lib2to3", "site-packages", "__pycache__"}


@dataclass(frozen=True, slots=True)
class Document:
    """What is to be remembered."""

    id: str
    content: str
    namespace: str = ANY
    conversation: str | None = None
    created_at: datetime | None = None
    """None where the set has no dates."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, and the grade of each document that answers it, above 0."""

    text: str
    grades: Mapping[str, int]
    namespace: str = ANY


@dataclass(frozen=True, slots=True)
class RetrievalSet:
    """A corpus and what is asked of it."""

    name: str
    documents: Sequence[Document]
    questions: Sequence[Question]

    @property
    def namespaces(self) -> list[str]:
        """The namespaces that its documents lie in."""
        return sorted({document.namespace for document in self.documents})


@dataclass(frozen=True, slots=True)
class Quality:
    """Means over the questions, 0-1."""

    recall: float
    """The share of the right documents that are among the first ten."""
    ndcg: float
    """The same with a discount for each place that they come late, of ten; grades count as they are."""


def sets(data: Path, names: Collection[str] = ()) -> Iterator[RetrievalSet]:
    """Yield the sets that the folder holds and those that are made here, or only those of these names."""
    makers = {path.parent.name: partial(load, path.parent) for path in sorted(data.glob("*/corpus.jsonl"))}
    if TURNS in makers:
        makers[ALONE] = partial(alone, makers[TURNS])
    makers |= {
        f"{asked}{BETWEEN}{stored.removeprefix(XQUAD)}": partial(across, makers[asked], makers[stored])
        for asked, stored in permutations([name for name in makers if name.startswith(XQUAD)], 2)
    }
    makers[CODE] = partial(code)
    for name in names or makers:
        if name not in makers:
            raise SystemExit(f"there is no set {name} in {data}")
        yield makers[name]()


def across(asked: Callable[[], RetrievalSet], stored: Callable[[], RetrievalSet]) -> RetrievalSet:
    """Ask the questions of one language on the paragraphs of another."""
    questions, documents = asked(), stored()
    name = f"{questions.name}{BETWEEN}{documents.name.removeprefix(XQUAD)}"
    return RetrievalSet(name, documents.documents, questions.questions)


def alone(conversations: Callable[[], RetrievalSet]) -> RetrievalSet:
    """Take the conversations away from what is stored."""
    told = conversations()
    return replace(told, name=ALONE, documents=[replace(document, conversation=None) for document in told.documents])


def sampled(chosen: RetrievalSet, questions: int) -> RetrievalSet:
    """Leave at most so many questions, evenly chosen."""
    every = len(chosen.questions)
    asked = min(questions, every)
    return replace(chosen, questions=[chosen.questions[number * every // asked] for number in range(asked)])


def load(folder: Path) -> RetrievalSet:
    """Read a folder; a question without a right document is left out."""
    grades: dict[str, dict[str, int]] = collections.defaultdict(dict)
    for line in (folder / "qrels.tsv").read_text(encoding="utf-8").splitlines()[1:]:
        question, document, grade = line.split("\t")
        if int(grade) > 0:
            grades[question][document] = int(grade)
    documents = [*_dated(_rows(folder / "corpus.jsonl"))]
    questions = [
        Question(row["text"], grades[row["_id"]], str(row.get("group", ANY)))
        for row in _rows(folder / "queries.jsonl")
        if row["_id"] in grades
    ]
    return RetrievalSet(folder.name, documents, questions)


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def _dated(rows: Iterator[Mapping[str, str]]) -> Iterator[Document]:
    """Yield the documents; those of a group that have one date or none follow each other by a second."""
    latest: dict[str, datetime | None] = {}
    for row in rows:
        group = str(row.get("group", ANY))
        latest[group] = _moment(row.get("date") or "", latest.get(group))
        content = f"{row.get('title', '')} {row['text']}".strip() or "-"
        yield Document(row["_id"], content, group, row.get("session"), latest[group])


def _moment(date: str, latest: datetime | None) -> datetime | None:
    """Return the moment of a document, by its date and the moment of the one before."""
    moment = _read(date) or latest
    if moment is None or latest is None or not moment <= latest < moment + SAME_DATE:
        return moment
    return latest + timedelta(seconds=1)


def _read(date: str) -> datetime | None:
    for form in DATES:
        with contextlib.suppress(ValueError):
            return datetime.strptime(date, form).replace(tzinfo=UTC)
    return None


def code() -> RetrievalSet:
    """Make functions of the standard library without their docstrings, each asked by the first sentence of its own.

    They are those of the Python that runs this: compare figures of one version only.
    """
    pairs = {content: question for question, content in sorted(set(_functions()))}
    unique = sorted({question: content for content, question in pairs.items()}.items())
    random.Random(7).shuffle(unique)  # noqa: S311 - no secret
    chosen = unique[:FUNCTIONS]
    documents = [Document(str(number), content) for number, (_, content) in enumerate(chosen)]
    questions = [Question(question, {str(number): 1}) for number, (question, _) in enumerate(chosen[:ASKED])]
    return RetrievalSet(CODE, documents, questions)


def _functions() -> Iterator[tuple[str, str]]:
    """Yield (question, source without docstring)."""
    library = Path(sysconfig.get_path("stdlib"))
    for path in sorted([*library.glob("*.py"), *library.glob("*/*.py")]):
        if path.parent.name in SKIPPED or path.parent.name.startswith("config"):
            continue
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("__") and len(node.body) > 1:
                yield from _pair(node)


def _pair(function: ast.FunctionDef) -> Iterator[tuple[str, str]]:
    described = ast.get_docstring(function) or ""
    question = " ".join(re.split(r"(?<=[.])\s|\n\n", described.strip())[0].split()).rstrip(".").lower()
    if not 4 <= len(question.split()) <= 20 or "(" in question:
        return
    function.body = function.body[1:]
    source = ast.unparse(function)
    if 60 < len(source) < 6_000:
        yield question, source


def quality(questions: Sequence[Question], answers: Sequence[Sequence[str]]) -> Quality:
    """Score the answers, the ids of documents best first, as trec_eval and BEIR do."""
    scored = [_score(question.grades, answer[:10]) for question, answer in zip(questions, answers, strict=True)]
    return Quality(*(sum(column) / len(scored) for column in zip(*scored, strict=True)))


def _score(grades: Mapping[str, int], answer: Sequence[str]) -> tuple[float, float]:
    recall = len(grades.keys() & set(answer)) / len(grades)
    ideal = _gain(sorted(grades.values(), reverse=True)[:10])
    return recall, _gain([grades.get(document, 0) for document in answer]) / ideal


def _gain(grades: Sequence[int]) -> float:
    return sum(grade / math.log2(place + 2) for place, grade in enumerate(grades))
