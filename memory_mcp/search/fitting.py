"""Whether anything that a search found fits the query well."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from memory_mcp.domain.models import Memory
from memory_mcp.domain.ports import Snapshot
from memory_mcp.search import naming
from memory_mcp.search.fusion import stretched
from memory_mcp.search.models import JoinedRanking, Part, Ranking
from memory_mcp.search.policy import FitPolicy
from memory_mcp.search.steps import SearchExecution


@dataclass(frozen=True, slots=True)
class Fit:
    """Whether an answer is weak, and why."""

    weak: bool
    reason: str


def judge(search: SearchExecution, ranking: JoinedRanking, hits: int, tagged: int) -> dict[Part, Fit]:
    """Say of each part whether nothing there fits well; what carries the tags of a browse fits.

    Args:
        search: what was asked.
        ranking: all candidates.
        hits: how many are shown.
        tagged: how many of them carry the tags that the query names.
    """
    if not hits:
        return dict.fromkeys(search.parts, Fit(weak=True, reason="nothing was found"))
    if tagged:
        reason = f"{tagged} of the results carry {', '.join(search.route.tags)}"
        return dict.fromkeys(search.parts, Fit(weak=False, reason=reason))
    return {part: _judge(search, each) for part, each in ranking.parts.items()}


def _judge(search: SearchExecution, ranking: Ranking) -> Fit:
    """Say whether nothing of a part fits well; a name fits by its spelling alone."""
    route, policy = search.route, search.policy.fit
    if route.names:
        return _by_spelling(_likely(search.snapshot, ranking, policy), search.query.text, route.names, policy)
    best = _best_scores(ranking, words_may_do=route.intent == "identifier")
    share = _share_of_words(best, search, ranking)
    shares = {"semantic": 1 - share, "keyword": share}
    fit = math.fsum(shares[kind] * score for kind, score in best.items())
    stated = " + ".join(
        f"{shares[kind]:.2f} * best {kind} {score:.2f}" if len(best) > 1 else f"best {kind} {score:.2f}"
        for kind, score in best.items()
    )
    floor = ranking.dense.fit_floor if ranking.dense else 0.0
    counted = f" (a cosine of {floor:.2f} counts as 0)" if floor and "semantic" in best else ""
    return Fit(fit < policy.strong_from, f"fit {fit:.2f} = {stated}{counted}; weak below {policy.strong_from}")


def _share_of_words(best: Mapping[str, float], search: SearchExecution, ranking: Ranking) -> float:
    """Return what the best keyword score counts in the fit, 0-1; less where words cannot tell what fits."""
    if ranking.dense is None or ranking.keywords is None or len(best) == 1:
        return float("keyword" in best)
    is_name = search.route.intent == "identifier"
    foreign = 0.0 if is_name else ranking.foreign
    return (1 - foreign) / len(best)


def _by_spelling(memories: Sequence[Memory], text: str, names: Sequence[str], policy: FitPolicy) -> Fit:
    alternatives = [names, [text]]  # names may be a part of the whole: LH 454
    fits = any(naming.spells(memory.content, alternatives, policy) for memory in memories)
    return Fit(not fits, f"{'one' if fits else 'none'} of the first {len(memories)} spells {', '.join(names)}")


def _likely(snapshot: Snapshot, ranking: Ranking, policy: FitPolicy) -> list[Memory]:
    words = ranking.keywords.scores if ranking.keywords else {}
    by_words = sorted(ranking.scores, key=lambda key: words.get(key, 0.0), reverse=True)
    return list(snapshot.fetch(by_words[: policy.names_read]).values())


def _best_scores(ranking: Ranking, *, words_may_do: bool) -> dict[str, float]:
    """Return the best score of each kind of search that was done; of the words alone where they may do and are better.

    The best of each kind may be of two memories: their sum told more than the sum of any one.
    """
    best: dict[str, float] = {}
    if ranking.dense is not None:
        highest = max(ranking.dense.scores.values(), default=0.0)
        best["semantic"] = stretched(highest, ranking.dense.fit_floor)
    if ranking.keywords is not None:
        best["keyword"] = max(ranking.keywords.scores.values(), default=0.0)
    if words_may_do and len(best) > 1 and best["keyword"] > best["semantic"]:  # what is quoted fits by its spelling
        del best["semantic"]
    return best
