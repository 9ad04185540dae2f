"""The steps that one search takes at one moment of the store; `pipeline` puts them in order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from memory_mcp.domain.errors import SpaceMismatchError
from memory_mcp.domain.keywords import KeywordQuery
from memory_mcp.domain.models import DOCUMENT, Filters
from memory_mcp.domain.ports import Snapshot
from memory_mcp.search import fusion, results
from memory_mcp.search.adjusting import adjust
from memory_mcp.search.candidates import NO_WORDS, CandidateScorer
from memory_mcp.search.intent import Route, possible_tags, route
from memory_mcp.search.lexical.query import QueryAnalyzer
from memory_mcp.search.models import DenseScores, Hit, JoinedRanking, KeywordScores, Part, Ranked, Ranking, SearchQuery
from memory_mcp.search.named_times import NamedTime
from memory_mcp.search.policy import SearchPolicy
from memory_mcp.search.query_vector import NoVector, QueryVector
from memory_mcp.search.results import Selection


@dataclass(frozen=True, slots=True)
class RankedSelection:
    """The candidates and what was selected of them."""

    ranking: JoinedRanking
    selection: Selection


@dataclass(frozen=True, slots=True)
class SearchedPart:
    """A part of what is searched, what is looked for in it, and what words found there."""

    snapshot: Snapshot
    """Of this part; see `Snapshot.documents`."""
    terms: KeywordQuery
    vector: QueryVector | NoVector | None
    """None where words alone are asked for."""
    keywords: KeywordScores | None
    """None where meaning alone is asked for."""


def parts_of(snapshot: Snapshot, filters: Filters) -> tuple[Part, ...]:
    """Return the parts that a search looks in: those that hold anything, at least one."""
    asked = filters.documents
    if asked is None and filters.type is not None:
        asked = filters.type == DOCUMENT
    if asked is not None:
        return ("documents",) if asked else ("memories",)
    if not _holds_any(snapshot.documents(), filters.namespace):
        return ("memories",)
    return ("memories", "documents") if _holds_any(snapshot, filters.namespace) else ("documents",)


def _holds_any(snapshot: Snapshot, namespace: str) -> bool:
    return snapshot.document_frequencies({}, namespace).memories > 0


def view_of(snapshot: Snapshot, part: Part) -> Snapshot:
    """Return the snapshot of a part."""
    return snapshot.documents() if part == "documents" else snapshot


def analyse(snapshot: Snapshot, query: SearchQuery, policy: SearchPolicy) -> Route:
    """Say what a query wants: quotations bind in `auto` alone, tags in `auto` and `keyword`."""
    if not policy.route.is_on:
        return Route("topic")
    asked = possible_tags(query.text, policy.route)
    known = snapshot.tags_among(asked, query.filters.namespace) if asked else frozenset[str]()
    seen = route(query.text, known, policy.route)
    if query.mode == "auto":
        return seen
    return replace(seen, quoted=(), tags=seen.tags if query.mode == "keyword" else ())


def terms_of(snapshot: Snapshot, query: SearchQuery, policy: SearchPolicy) -> KeywordQuery:
    """Return what a query looks for by its words, in the languages that its namespace holds."""
    return QueryAnalyzer.of(snapshot, query.filters.namespace, policy.lexical).keyword_query(query.text)


def score_keywords(
    snapshot: Snapshot, query: SearchQuery, terms: KeywordQuery, policy: SearchPolicy, candidates: int | None = None
) -> KeywordScores | None:
    """Score the words, unless meaning alone is asked for."""
    if query.mode == "semantic":
        return None
    count = candidates or _first_count(query, policy)
    return CandidateScorer(snapshot, query.filters, count, policy).keywords(terms)


def _first_count(query: SearchQuery, policy: SearchPolicy) -> int:
    return max(policy.candidates.fewest, policy.candidates.per_result * query.limit)


@dataclass(frozen=True, slots=True)
class SearchExecution:
    """An analysed query and its vectors, carried out on one snapshot."""

    snapshot: Snapshot
    query: SearchQuery
    route: Route
    parts: Mapping[Part, SearchedPart]
    """At least one."""
    times: Sequence[NamedTime]
    """Those that the query names."""
    policy: SearchPolicy

    def find(self) -> RankedSelection:
        """Rank candidates and select hits, among more and more candidates until the hits are enough."""
        count, search = _first_count(self.query, self.policy), self
        while True:
            ranking = JoinedRanking.of({part: search._rank(each, count) for part, each in search.parts.items()})
            selection, is_enough = search._select(ranking)
            if is_enough or count >= self.policy.candidates.most:
                return RankedSelection(ranking, selection)
            count = min(self.policy.candidates.most, self.policy.candidates.growth * count)
            search = self.with_keywords(count)

    def with_keywords(self, count: int | None = None) -> SearchExecution:
        """Score the words anew, of the query as it is or for more candidates."""
        parts = {
            part: replace(each, keywords=score_keywords(each.snapshot, self.query, each.terms, self.policy, count))
            for part, each in self.parts.items()
        }
        return replace(self, parts=parts)

    def _rank(self, part: SearchedPart, count: int) -> Ranking:
        return self._adjust(self._fuse(self._score_meaning(part, count), part, count))

    def browse(self) -> RankedSelection | None:
        """Find what carries the tags that the query names, lifted above the rest; None where it names none.

        They are half of what was asked for, the words the other. What carries them is found even if no word or vector
        finds it.
        """
        if not self.route.tags or self.query.filters.tags:
            return None
        filters = replace(self.query.filters, tags=self.route.tags, tag_match="all")
        narrow = replace(self, query=replace(self.query, filters=filters, min_score=0.0))
        found = narrow.with_keywords().find()
        tagged = [*found.selection.hits]
        known = {hit.memory.key for hit in tagged}
        page = self.snapshot.page(filters, limit=self.query.limit, cursor=None)
        tagged += [Hit(memory, Ranked(memory.key, 0.0)) for memory in page.memories if memory.key not in known]
        lifted = [hit for hit in map(self._lifted, tagged) if hit.ranked.score >= self.query.min_score]
        return replace(found, selection=replace(found.selection, hits=lifted))

    def _lifted(self, hit: Hit) -> Hit:
        lift = self.policy.selection.tag_lift
        return replace(hit, ranked=hit.ranked._replace(score=lift + (1 - lift) * hit.ranked.score))

    def _score_meaning(self, part: SearchedPart, count: int) -> DenseScores | NoVector | None:
        if not isinstance(part.vector, QueryVector):
            return part.vector
        try:
            return self._scorer(part, count).dense(part.vector, part.keywords or NO_WORDS)
        except SpaceMismatchError as error:  # another front gave the store its space meanwhile
            return NoVector(error.with_fix())

    def _fuse(self, dense: DenseScores | NoVector | None, part: SearchedPart, count: int) -> Ranking:
        """Rank by both kinds of scores, or by the one that there is."""
        keywords = part.keywords
        if not isinstance(dense, DenseScores):
            words = keywords or self._scorer(part, count).keywords(part.terms)
            return fusion.by_keywords(words, dense.sentence if dense else None)
        if keywords is None:
            return fusion.by_vectors(dense)
        policy = self.policy.fusion
        foreign = fusion.foreignness(dense, keywords, policy)
        weight = fusion.weight_of(self.query.mode, self.route.intent, dense.prominence, foreign, policy)
        return fusion.by_both(dense, keywords, weight, foreign)

    def _adjust(self, ranking: Ranking) -> Ranking:
        """Let more than words and meaning decide in `auto`, but where a name is meant as it is spelled."""
        is_meant = self.query.mode == "auto" and self.route.intent != "identifier" and ranking.mode == "hybrid"
        if not is_meant or not self.policy.adjustment.adjusted:
            return ranking
        return adjust(self.snapshot, self.query.text, self.times, ranking, self.policy.adjustment)

    def _select(self, ranking: JoinedRanking) -> tuple[Selection, bool]:
        """Select hits; say whether more candidates would bring no better ones."""
        selection = results.select(self.snapshot, self.query, self.route.quoted, ranking, self.policy.selection)
        is_full = len(selection.hits) >= self.query.limit or ranking.is_all or selection.is_barred
        return selection, is_full or not selection.is_thinned

    def _scorer(self, part: SearchedPart, count: int) -> CandidateScorer:
        return CandidateScorer(part.snapshot, self.query.filters, count, self.policy)
