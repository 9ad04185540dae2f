"""Every number that decides a rank, with its unit, its range and what it was measured to do.

Change one here, or give the pipeline another policy (`dataclasses.replace`); `python -m benchmarks.ablation` shows what
a change does. Figures are recall@10 / nDCG@10 on the sets of docs/benchmarks.md: turns and sessions are LoCoMo's, code
is Python's library asked by its docstrings. "With 20 instead: +0.001 / -0.002" says what another number does, on 300
questions of turns, where 0.005 is chance. A number outside its range is a ValueError.

`NOT_MEASURED`, below, lists the numbers that were chosen and never compared.

What is stored follows two policies of its own: vectors `ChunkPolicy` in memories/chunking.py, the keyword index
`IndexPolicy` in search/lexical/analyzer.py.

Limits of cost stand where they are used. They bound the time of a search, and so what it finds in extreme cases:

    MAX_WORDS = 64           words of a query that are looked up              storage/keyword_search.py
    MAX_COMPARED = 500       memories whose text is read for a quotation      storage/keyword_search.py
    MAX_FOUND = 20,000       memories that one word brings into a search      storage/keyword_search.py
    MAX_FILTERED = 1,000     memories that filters leave, listed beforehand   storage/keyword_search.py
    READ_PER_RESULT = 8,     vectors that a search by sign bits reads and     storage/sqlite/vectors/binary_search.py
    FEWEST_READ = 400        rescores exactly, for each result and at least
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

NOT_MEASURED: Final = (
    "lexical.other_spelling_weight",
    "lexical.form_share",
    "lexical.paired_words",
    "lexical.cutoff_postings",
    "lexical.cutoff_share",
    "route.words_beside_name",
    "route.words_beside_command",
    "route.words_of_browse",
    "route.words_of_tag",
    "phrasing.fewest_memories",
    "candidates.most",
    "candidates.growth",
    "background.fewest",
    "background.narrow_from",
    "background.narrow_over",
    "fusion.known_fewest",
    "fusion.identifier",
    "adjustment.short_words",
    "adjustment.short_bytes",
    "selection.tag_lift",
    "selection.equal_digits",
    "selection.most_for_age",
    "selection.focus",
    "selection.alike",
    "selection.compared_chars",
    "fit.names_read",
    "fit.names_share",
    "fit.long_number",
    "fit.longest_name",
)
"""The numbers that were chosen and never compared with others, by their place in `SearchPolicy`."""


def _check(policy: object, names: str, low: float, high: float = math.inf) -> None:
    """Raise ValueError for each of these fields that is outside its range."""
    for name in names.split():
        value = getattr(policy, name)
        if not low <= value <= high:
            bounds = f"{low:g} or more" if high == math.inf else f"from {low:g} to {high:g}"
            raise ValueError(f"{type(policy).__name__}.{name} must be {bounds}, not {value}")


def _check_shares(policy: object, name: str, parts: int | None = None) -> None:
    """Raise ValueError unless a field holds at most two shares, 0-1, each above 0 and in parts of 1/`parts`."""
    shares: Sequence[float] = getattr(policy, name)
    in_range = all(0 <= share <= 1 if parts is None else share * parts in range(1, parts + 1) for share in shares)
    if len(shares) > MOST_SHARES or not in_range:
        each = "from 0 to 1" if parts is None else f"a multiple of 1/{parts} up to 1"
        raise ValueError(f"{type(policy).__name__}.{name} must be at most two shares, each {each}, not {shares}")


MOST_SHARES: Final = 2
"""Neighbours on each side that a store tells of; further ones found nothing more."""
SHARE_PARTS: Final = 16
"""A store adds vectors in so many parts."""


@dataclass(frozen=True, slots=True)
class LexicalPolicy:
    """What the terms of a query count in keyword search; a word that the query writes counts 1."""

    function_word_weight: float = 0.25
    """Of a function word beside other words, 0-1; 0 leaves them out, which found less. Instead of 1: turns +0.020 /
    +0.032, turns alone +0.036 / +0.036, sessions +0.003 / +0.020, XQuAD German 0 / +0.012, code +0.003 / +0.004."""
    other_spelling_weight: float = 0.5
    """Of a spelling that a memory may have and the query has not, 0-1: getUserName as user and name, wi fi as wifi."""
    form_share: float = 0.5
    """Of a word's weight, 0-1, that each of two forms of it counts: as it is written and in plain letters (Müller,
    Mueller; annulée, annulee), its beginning and its end, by which compounds are found."""
    paired_words: int = 12
    """Words of the longest query whose neighbours are also looked for as one word; 0 turns that off."""
    cutoff_postings: int = 1_500
    """Terms bring memories into a search, rarest first, up to so many; 0 or more. The common ones after these only
    score the best of what was brought. Instead of FTS5's own weights, by words alone: turns +0.043 / +0.048, SciFact
    +0.012 / +0.010, sessions -0.009 / +0.006."""
    cutoff_share: float = 0.02
    """The same as a share of the namespace's memories, 0-1, where that is more."""
    rescored_per_result: int = 4
    """The best memories that common terms score, for each result asked for; 1 or more. A search asks for 300: with
    1,200 scored, its first ten are those of scoring all at 10,000 memories, and 0.945 of them at 100,000. Scoring 600
    gives 0.984 and 0.816 and saves 2.2 ms there, scoring 2,400 gives 1 and 0.999."""

    def __post_init__(self) -> None:
        _check(self, "function_word_weight other_spelling_weight form_share cutoff_share", 0, 1)
        _check(self, "paired_words cutoff_postings", 0)
        _check(self, "rescored_per_result", 1)


@dataclass(frozen=True, slots=True)
class RoutePolicy:
    """When a query is an identifier or a browse by tags. All of it: code +0.003 / +0.001; no set asks for tags."""

    is_on: bool = True
    """Whether queries are routed at all; if not, each is a topic."""
    words_beside_name: int = 2
    """Words beside an identifier or a quotation that may say what it is ("ticket OPS-3051"); 0 or more. Chosen on the
    labelled queries of `benchmarks.router`."""
    words_beside_command: int = 8
    """The same for a command with flags; 0 or more."""
    words_of_browse: int = 8
    """Words of a query that may be nothing but tags; 0 or more."""
    words_of_tag: int = 3
    """Words of the query that may together be one tag; 1 or more."""

    def __post_init__(self) -> None:
        _check(self, "words_beside_name words_beside_command words_of_browse", 0)
        _check(self, "words_of_tag", 1)


@dataclass(frozen=True, slots=True)
class PhrasingPolicy:
    """When the query is also embedded without its common words: sessions +0.005 / 0, turns +0.019 / +0.010."""

    common_share: float = 0.5
    """Share of the namespace's memories from which on a word is common, 0-1; above 1 none is. 0.35 is as good, 0.75
    gives half."""
    fewest_memories: int = 8
    """Memories below which no word is common; 0 or more: half of a handful is no crowd."""

    def __post_init__(self) -> None:
        _check(self, "common_share fewest_memories", 0)


@dataclass(frozen=True, slots=True)
class CandidatePolicy:
    """How many memories are scored."""

    per_result: int = 5
    """Candidates of each kind for each result asked for; 1 or more. With 10 or 20 instead: 0 / 0."""
    fewest: int = 50
    """Candidates of each kind, at least; 1 or more. With 20 instead, and 2 for each result: -0.001 / -0.001."""
    most: int = 4_096
    """Candidates of each kind, at most, where quotations or near duplicates thin them out."""
    growth: int = 4
    """By how much their number is multiplied when too few are left; 2 or more."""
    keyword_matches: int = 300
    """Memories that words find and that share their keyword scores with their neighbours, at least; 1 or more. With
    100 or 1,000 instead: 0 / -0.001."""
    best_with_neighbours: int = 15
    """The best of each kind whose neighbours become candidates too; 0 turns that off. With 0 instead: -0.035 / -0.015,
    5: -0.005 / -0.001, 30: 0 / 0. Together with `keyword_shares` it gives turns +0.071 / +0.015."""

    def __post_init__(self) -> None:
        _check(self, "per_result fewest most keyword_matches", 1)
        _check(self, "growth", 2)
        _check(self, "best_with_neighbours", 0)


@dataclass(frozen=True, slots=True)
class ConversationPolicy:
    """What a memory gets from its neighbours in the conversation."""

    keyword_shares: tuple[float, ...] = (1 / 2, 1 / 4)
    """Share of a neighbour's keyword score, by its distance, 0-1 each, two at most; () turns that off. With (1/2,)
    instead: -0.012 / -0.008, (1/4, 1/8): -0.012 / +0.005, (3/4, 1/2): -0.009 / -0.011. Costs 1.5 ms in
    conversations."""
    dense_shares: tuple[float, ...] = (1 / 2, 1 / 4)
    """Weight of a neighbour's vector beside the memory's own, by its distance, above 0 in parts of 1/16; two at most,
    as further ones found nothing more. With (1/2,) instead: -0.007 / -0.005, (1/4, 1/8): -0.001 / -0.004, (3/4, 1/2):
    +0.002 / -0.001, (): -0.018 / -0.007."""
    context_share: float = 0.5
    """Share of the semantic score that is the similarity in context, the rest being the best chunk's own, 0-1; 0 turns
    that off. It gives turns +0.026 / +0.022 and costs 2.1 ms. With 0.25 or 0.75 instead: +0.001 / -0.004."""

    def __post_init__(self) -> None:
        _check_shares(self, "keyword_shares")
        _check_shares(self, "dense_shares", SHARE_PARTS)
        _check(self, "context_share", 0, 1)


@dataclass(frozen=True, slots=True)
class KeywordPolicy:
    """How keyword scores are brought to 0-1."""

    calibration: float = 0.5
    """Exponent of the best possible score in the divisor, 0-1: at 0 the best match always gets 1, at 1 its share of the
    best possible. Instead of 0 it gives code +0.040 / +0.034, turns +0.013 / +0.002, turns alone -0.004 / -0.010. With
    0.25 instead: +0.003 / +0.004, 0.75: -0.013 / -0.009, 1: -0.017 / -0.010."""

    def __post_init__(self) -> None:
        _check(self, "calibration", 0, 1)


@dataclass(frozen=True, slots=True)
class BackgroundPolicy:
    """The sample of chunks that tells how far the best one stands out."""

    sample: int = 128
    """Chunks compared with the query; 0 turns the weight per query off. With 32 instead: -0.002 / -0.001, 256: +0.003 /
    0."""
    fewest: int = 8
    """Chunks below which nothing can be said to stand out; 2 or more."""
    narrow_from: float = 0.6
    """Mean cosine of the sample from which on the model's range is narrow, 0-1, so that cosines are stretched before
    they are added to keyword scores; 1 turns that off. all-MiniLM-L6-v2 lies far below, but where all memories say
    about the same; multilingual-e5-small lies at 0.7-0.8."""
    narrow_over: float = 0.1
    """By how much more the mean must be for all of it, 0.01-1, so that a memory more or less changes little."""
    usual_mean: float = 0.1
    """The cosine that the mean of such a sample counts as, 0-0.99; the bundled model has about this. It gives, with
    multilingual-e5-small, turns +0.023 / +0.025, XQuAD German +0.007 / +0.013, asked in English +0.041 / +0.088. With 0
    instead: turns 0 / -0.001, and more answers are called weak; 0.2: turns -0.002 / -0.006."""

    def __post_init__(self) -> None:
        _check(self, "sample", 0)
        _check(self, "fewest", 2)
        _check(self, "narrow_from", 0, 1)
        _check(self, "narrow_over", 0.01, 1)
        _check(self, "usual_mean", 0, 0.99)


@dataclass(frozen=True, slots=True)
class FusionPolicy:
    """The weight of the semantic score against the keyword score, 0-1.

    In `auto` it is a logistic curve over the prominence: by how many standard deviations the best chunk is above what
    chance gives. Against a fixed `default`: turns +0.005 / +0.015, turns alone +0.026 / +0.028, code -0.003 / +0.010.
    """

    default: float = 0.6
    """Where the prominence is not known, 0-1: the best of the fixed ones on conversations, abstracts and code."""
    min: float = 0.45
    """Where nothing stands out, 0-1. With 0.35 instead and the same maximum: -0.001 / +0.001, 0.55: -0.008 / -0.007."""
    span: float = 0.35
    """By how much it grows, 0 to 1 - `min`; 0 makes it fixed. With 0.25 instead: 0 / -0.002, 0.45: -0.005 / -0.003."""
    steepness: float = 2.0
    """Of the curve at its middle, per standard deviation; 0 or more. With 1 instead: -0.002 / -0.004, 4: 0 / -0.003."""
    midpoint: float = 1.2
    """The prominence at which the weight is halfway, in standard deviations. With 0.8 instead: -0.005 / -0.003, 1.6:
    +0.003 / 0."""
    known_half: float = 0.6
    """Share of the query's words, function words too, that the namespace has, 0-1, at which the query is half foreign:
    words tell less, and the weight may grow to 1; 0 turns that off. Instead of 0, with multilingual-e5-small: German
    asked in English +0.005 / +0.018, English asked in German +0.002 / +0.009; turns, BEAM and SciFact 0 / 0. With 0.5
    instead: -0.001 / -0.004, 0.7: 0 / +0.002, with all-MiniLM-L6-v2 XQuAD German 0 / -0.003."""
    known_fewest: int = 5
    """Words of a query, function words too, below which it is never foreign; 0 or more."""
    known_steepness: float = 15.0
    """Of that curve at its middle; 0 or more. With 8 instead: 0 / -0.001 on German asked in English, 30: 0 / +0.001."""
    foreign_shift: float = 0.5
    """By how much a foreign query lowers the `midpoint`, in standard deviations; 0 or more. With 0 instead: -0.003 /
    -0.010 on German asked in English, 1: +0.001 / +0.004, but with all-MiniLM-L6-v2, which knows little German, English
    asked in German -0.017 / -0.027."""
    even: float = 0.5
    """Of the mode `hybrid`, 0-1: by definition."""
    identifier: float = 0.2
    """For an identifier, 0-1: a name is meant as it is spelled."""

    def __post_init__(self) -> None:
        _check(self, "default min known_half even identifier", 0, 1)
        _check(self, "span", 0, round(1 - self.min, 9))
        _check(self, "steepness known_fewest known_steepness foreign_shift", 0)


@dataclass(frozen=True, slots=True)
class AdjustmentPolicy:
    """What else speaks for or against a memory, in `auto` alone.

    All of it: turns +0.035 / +0.080, BEAM +0.053 / +0.070. A bonus takes a score so far of its way to 1, a loss so far
    of its way to 0.
    """

    adjusted: int = 50
    """The best of the fused ranking that are looked at; 0 turns all of it off. With 30 instead: -0.004 / 0, 100:
    -0.002 / -0.001 on all turns."""
    time_bonus: float = 0.3
    """For a memory of the time that the query names ("in May"), 0-1. It gives turns +0.019 / +0.020, and +0.14 on the
    questions that name one."""
    days_near: int = 7
    """Days outside of that time over which the bonus fades; 0 or more: who asks for a day remembers another. With 3 or
    10 instead: 0 / 0."""
    long_from: int = 1_500
    """Bytes of a content in UTF-8 from which on it is long; 1 or more: the best of many chunks is near to many queries.
    With 1,000 instead: BEAM +0.018 / +0.020, SciFact -0.003 / -0.003."""
    length_loss: float = 0.12
    """For a content of e times that length, and in proportion to the logarithm, 0-1. It gives BEAM +0.053 / +0.070,
    sessions -0.001 / -0.002, XQuAD German 0 / -0.002."""
    short_words: int = 25
    """Words of a turn that may be nothing but a question; 0 or more."""
    short_bytes: int = 1_000
    """Bytes of a content that is read to see whether it only asks, and who speaks; 0 or more. Turns of so few words are
    shorter."""
    asks_loss: float = 0.2
    """For a turn of a conversation that only asks, 0-1: it has the words of the query and not the answer. It gives
    turns +0.008 / +0.035."""
    answers_share: float = 0.24
    """For the turn after such a one, as a share of the latter's score, 0-1. It gives turns +0.007 / +0.016."""
    speaker_bonus: float = 0.06
    """For a turn whose speaker the query names, 0-1. It gives turns +0.003 / +0.010."""

    def __post_init__(self) -> None:
        _check(self, "time_bonus length_loss asks_loss answers_share speaker_bonus", 0, 1)
        _check(self, "adjusted days_near short_words short_bytes", 0)
        _check(self, "long_from", 1)


@dataclass(frozen=True, slots=True)
class SelectionPolicy:
    """Which of the ranked memories are shown, and in which order."""

    tag_lift: float = 0.5
    """How far a browse lifts the score of what carries its tags towards 1, 0-1: tags are half of what was asked for,
    words the other half."""
    equal_digits: int = 4
    """Decimal digits of a score in which two must differ for age not to decide; 0 or more."""
    most_for_age: float = 0.5
    """Share of its rank that the oldest rival loses at a `recency` of 1, 0-1."""
    focus: int = 4
    """How sharply rivals count by their score: halfway down to the last one, 1/2 ** `focus` of the first; 0 or more."""
    alike: float = 0.9
    """Share of their words that near duplicates have in common (Dice's coefficient, repetitions counted), 0-1."""
    compared_chars: int = 10_000
    """Characters; longer contents are near duplicates only if equal but for case, accents, blanks and punctuation. It
    bounds the time."""

    def __post_init__(self) -> None:
        _check(self, "tag_lift most_for_age alike", 0, 1)
        _check(self, "equal_digits focus compared_chars", 0)


@dataclass(frozen=True, slots=True)
class FitPolicy:
    """When an answer is weak: nothing fits the query well."""

    strong_from: float = 0.43
    """The fit, 0-1, from which on an answer is not weak: the mean of the best semantic and the best keyword score,
    where words count less the more foreign the query is (`fusion.known_half`). It tells a conversation's own questions
    from another's: balanced accuracy 0.925 on turns, 0.942 on sessions."""
    usual_mean: float = 0.2
    """What `background.usual_mean` is for scores, for the fit, 0-0.99; it matters with narrow models alone. With 0.1
    instead and multilingual-e5-small: balanced accuracy -0.013 on turns, -0.027 on sessions, -0.1 across languages."""
    names_read: int = 10
    """Memories, the best by their words, that are read for the names in the query; 1 or more."""
    names_share: float = 0.5
    """Share of the query's names that one memory must spell, 0-1."""
    long_number: int = 7
    """Digits from which on a number may be grouped in any way, as those of telephones and accounts are."""
    longest_name: int = 256
    """Characters of a name that is looked for in other spellings; a longer one is a text. It bounds the time."""

    def __post_init__(self) -> None:
        _check(self, "strong_from names_share", 0, 1)
        _check(self, "usual_mean", 0, 0.99)
        _check(self, "names_read long_number longest_name", 1)


@dataclass(frozen=True, slots=True)
class SearchPolicy:
    """All of them."""

    lexical: LexicalPolicy = field(default_factory=LexicalPolicy)
    route: RoutePolicy = field(default_factory=RoutePolicy)
    phrasing: PhrasingPolicy = field(default_factory=PhrasingPolicy)
    candidates: CandidatePolicy = field(default_factory=CandidatePolicy)
    conversation: ConversationPolicy = field(default_factory=ConversationPolicy)
    keywords: KeywordPolicy = field(default_factory=KeywordPolicy)
    background: BackgroundPolicy = field(default_factory=BackgroundPolicy)
    fusion: FusionPolicy = field(default_factory=FusionPolicy)
    adjustment: AdjustmentPolicy = field(default_factory=AdjustmentPolicy)
    selection: SelectionPolicy = field(default_factory=SelectionPolicy)
    fit: FitPolicy = field(default_factory=FitPolicy)


DEFAULT_POLICY: Final = SearchPolicy()
