"""What the retrieval benchmark asks, and how it scores."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from benchmarks.sets import ALONE, CODE, TURNS, Question, code, quality, sets


def write(path: Path, rows: Sequence[Mapping[str, str | None]]) -> None:
    """Write JSON lines."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def test_scores_are_those_of_trec_eval() -> None:
    """Recall counts what is among the first ten; nDCG discounts late places and weighs grades."""
    asked = [Question("first", {"a": 2, "b": 1}), Question("second", {"c": 1})]
    scored = quality(asked, [["x", "a"], [*"0123456789", "c"]])
    assert scored.recall == pytest.approx((1 / 2 + 0) / 2)
    assert scored.ndcg == pytest.approx((2 / math.log2(3)) / (2 + 1 / math.log2(3)) / 2)


def test_a_folder_is_read(tmp_path: Path) -> None:
    """A title goes before its text; what no document answers is not asked; turns come once more, each alone."""
    folder = tmp_path / TURNS
    folder.mkdir()
    write(folder / "corpus.jsonl", [{"_id": "d", "title": "On", "text": "it", "group": "g", "session": "s"}])
    write(folder / "queries.jsonl", [{"_id": "q", "text": "it?", "group": "g"}, {"_id": "r", "text": "no?"}])
    (folder / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\nq\td\t1\nr\td\t0\n", encoding="utf-8")
    told, alone = sets(tmp_path, [TURNS, ALONE])
    assert [(d.content, d.namespace, d.conversation) for d in told.documents] == [("On it", "g", "s")]
    assert told.questions == [Question("it?", {"d": 1}, "g")] == alone.questions
    assert (alone.name, alone.documents[0].conversation) == (ALONE, None)


def test_documents_of_one_date_follow_each_other(tmp_path: Path) -> None:
    """Those of a group without a date, or with that of the one before, come a second after it."""
    folder = tmp_path / TURNS
    folder.mkdir()
    dates = ["1:56 pm on 8 May, 2023", None, "1:56 pm on 8 May, 2023", "May-10-2023", "2023-05-09", "soon"]
    rows = [{"_id": str(place), "text": "it", "group": "g", "date": date} for place, date in enumerate(dates)]
    write(folder / "corpus.jsonl", [*rows, {"_id": "other", "text": "it", "group": "h"}])
    write(folder / "queries.jsonl", [])
    (folder / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\n", encoding="utf-8")
    [told] = sets(tmp_path, [TURNS])
    begun = ["2023-05-08T13:56:00", "2023-05-08T13:56:01", "2023-05-08T13:56:02", "2023-05-10T00:00:00"]
    following = ["2023-05-09T00:00:00", "2023-05-09T00:00:01"]
    assert [d.created_at and f"{d.created_at:%Y-%m-%dT%H:%M:%S}" for d in told.documents] == [*begun, *following, None]


def test_questions_are_asked_on_another_language(tmp_path: Path) -> None:
    """Both ways, of sets whose questions and paragraphs have the same ids."""
    for language, word in (("en", "key"), ("de", "Schlüssel")):
        folder = tmp_path / f"xquad_{language}"
        folder.mkdir()
        write(folder / "corpus.jsonl", [{"_id": "0-0", "text": f"the {word}"}])
        write(folder / "queries.jsonl", [{"_id": "q", "text": f"{word}?"}])
        (folder / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\nq\t0-0\t1\n", encoding="utf-8")
    there, back = sets(tmp_path, ["xquad_en_on_de", "xquad_de_on_en"])
    assert (there.name, there.documents[0].content) == ("xquad_en_on_de", "the Schlüssel")
    assert there.questions == [Question("key?", {"0-0": 1})]
    assert (back.documents[0].content, back.questions[0].text) == ("the key", "Schlüssel?")


def test_code_needs_no_download() -> None:
    """Functions are asked by their docstrings, which are not in what is stored."""
    made = code()
    stored = {document.id: document.content for document in made.documents}
    assert made.name == CODE
    assert len(made.documents) > 2_000
    assert len(made.questions) == 600
    assert not any(
        question.text in " ".join(stored[id_].lower().split()) for question in made.questions for id_ in question.grades
    )


def test_a_set_that_is_not_there_is_named(tmp_path: Path) -> None:
    """A wrong name ends the benchmark with a sentence."""
    with pytest.raises(SystemExit, match="no set of_mine"):
        list(sets(tmp_path, ["of_mine"]))
