"""From a query to what a store looks for: its terms, what each counts, and what is in quotes."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from memory_mcp.domain import spelling
from memory_mcp.domain.keywords import Cutoff, KeywordQuery, Phrase, QueryTerm, Tokenize
from memory_mcp.domain.ports import Snapshot
from memory_mcp.domain.quotations import quotations
from memory_mcp.domain.spelling import RUNS
from memory_mcp.search.lexical.analyzer import HANGUL, MAX_TERM, Analyzer, hangul_bigrams, is_unspaced, stemmed
from memory_mcp.search.lexical.spellings import (
    hashes,
    joined,
    name_parts,
    names,
    neighbours,
    parts_at_joiners,
    short_forms,
)
from memory_mcp.search.lexical.stems import Stems
from memory_mcp.search.lexical.stop_words import FUNCTION_WORDS
from memory_mcp.search.policy import LexicalPolicy


class QueryAnalyzer:
    """Analyses the queries of one namespace.

    Args:
        tokenize: the store's.
        languages: what the namespace holds but English; a query says too little to tell its own.
        policy: what the terms count.
    """

    @classmethod
    def of(cls, snapshot: Snapshot, namespace: str, policy: LexicalPolicy) -> QueryAnalyzer:
        """Return the analyzer for a namespace of a store."""
        return cls(snapshot.tokenizer(), snapshot.languages(namespace), policy)

    def __init__(self, tokenize: Tokenize, languages: Collection[str], policy: LexicalPolicy) -> None:
        self._analyzer = Analyzer(tokenize)
        self._stems = [Stems(language) for language in languages]
        self._policy = policy

    def keyword_query(self, query: str) -> KeywordQuery:
        """Return what a keyword search looks for."""
        policy = self._policy
        cutoff = Cutoff(policy.cutoff_postings, policy.cutoff_share, policy.rescored_per_result)
        return KeywordQuery(tuple(self._terms(query)), self._phrases(query), cutoff)

    def content_words(self, query: str) -> dict[str, QueryTerm]:
        """Return the words of a query but function words, as it writes them, with what they look for."""
        return {
            word: QueryTerm(term, 1.0, others=tuple(self._others(word, 1.0)))
            for word, term in self._analyzer.written(spelling.normal(query))
            if word.lower() not in FUNCTION_WORDS and not is_unspaced(word)
        }

    def _terms(self, query: str) -> Iterator[QueryTerm]:
        """Yield the distinct terms of a query, each with those that stand for the same word in other languages."""
        text = spelling.normal(query)
        weights, written = self._weighed(text)
        others = {
            term: tuple(self._others(word, weights[term])) for term, word in written.items() if not is_unspaced(word)
        }
        for bigram in hangul_bigrams(text):
            weights.setdefault(bigram, 1.0)
        for term, spelt in dict(self._analyzer.spellings(text)).items():
            if term in weights:  # a memory with umlauts holds both
                weights[term] = weights[spelt] = weights[term] * self._policy.form_share
        for term, weight in weights.items():
            yield QueryTerm(term, weight, is_prefix=_is_one_character(term), others=others.get(term, ()))
        yield from self._extras(query, text, weights.keys())

    def _weighed(self, text: str) -> tuple[dict[str, float], dict[str, str]]:
        """Return what the term of each word counts, and how the word is written; `text` is the query's normal form."""
        weights: dict[str, float] = {}
        written: dict[str, str] = {}
        light = self._policy.function_word_weight
        for word, term in self._analyzer.written(text):
            weights.setdefault(term, light if word.lower() in FUNCTION_WORDS else 1.0)
            written.setdefault(term, word)
        if all(weight < 1 for weight in weights.values()):
            weights = dict.fromkeys(weights, 1.0)
        return weights, written

    def _others(self, word: str, weight: float) -> Iterator[QueryTerm]:
        """Yield what stands for a word in each language.

        A word is looked for by its beginning and by its end, each of which counts a share: so does a compound that
        begins or ends with it, and the word itself has both. So it is with a word with accents and its plain spelling,
        where that has another stem.
        """
        form_share = self._policy.form_share
        for stems in self._stems:
            plain, share = stems.others(word), weight
            if plain:
                share = weight * form_share
                yield from (QueryTerm(other[:MAX_TERM], share / len(plain)) for other in plain)
            term, ending = stems.of(word)[:MAX_TERM], stems.ending(word)
            if ending is None or weight < 1:
                yield QueryTerm(term, share)
                continue
            if stems.tail(word) is None:  # the index has the ends of long words alone
                yield QueryTerm(term, share * form_share)
            yield QueryTerm(term, share * form_share, is_prefix=True)
            yield QueryTerm(ending[:MAX_TERM], share * form_share, is_prefix=True)

    def _extras(self, query: str, text: str, taken: Collection[str]) -> Iterator[QueryTerm]:
        """Yield the other spellings of a query's names; `text` is its normal form."""
        for word, weight in self._respelled(query, text).items():
            for term in self._analyzer.terms(word):
                if term not in taken:  # as a whole: compounds of every language would be many lookups for little
                    whole = tuple(QueryTerm(stems.of(word)[:MAX_TERM], weight) for stems in self._stems)
                    yield QueryTerm(term, weight, others=whole, is_extra=True)
        for digits in hashes(text):
            short = tuple(QueryTerm(form, 1.0) for form in short_forms(digits))
            yield QueryTerm(digits, 1.0, is_prefix=True, others=short, is_extra=True)

    def _respelled(self, query: str, text: str) -> dict[str, float]:
        """Return the other spellings of the names in a query, as words, with what each counts."""
        named = names(text)
        pairs = neighbours(text, self._policy.paired_words)
        others = [*name_parts(named), *parts_at_joiners(query), *pairs]
        return dict.fromkeys(others, self._policy.other_spelling_weight) | dict.fromkeys(joined(text, named), 1.0)

    def _phrases(self, query: str) -> tuple[Phrase, ...]:
        return tuple(map(self._phrase, quotations(spelling.normal(query))[0]))

    def _phrase(self, text: str) -> Phrase:
        foreign = (tuple(term for _, term in stemmed(text, stems)) for stems in self._stems)
        spellings = (self._in_any_spelling(word, term) for word, term in self._analyzer.written(text))
        return Phrase(text, (tuple(self._analyzer.sequence(text)), *foreign), tuple(spellings))

    def _in_any_spelling(self, word: str, term: str) -> tuple[str, ...]:
        if is_unspaced(word):
            return (term,)
        foreign = (form[:MAX_TERM] for stems in self._stems for form in (stems.of(word), *stems.others(word)))
        return term, *self._analyzer.terms(spelling.spelt_out(word)), *foreign


def share_known(held: Sequence[tuple[str, bool]]) -> float:
    """Return the share of a query's terms that some memory has, 0-1; 1 if there are none.

    The parts of a run without spaces cross the borders of its words, and many of them stand in no memory. So they are
    known together, if any of them is.

    Args:
        held: each term, and whether a memory has it.
    """
    if not held:
        return 1.0
    runs = any(known for term, known in held if is_unspaced(term))
    return sum(runs if is_unspaced(term) else known for term, known in held) / len(held)


def _is_one_character(term: str) -> bool:
    return len(term) == 1 and bool(RUNS.match(term) or HANGUL.match(term))
