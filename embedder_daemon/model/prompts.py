"""The prompts of well-known models whose files do not contain them; from their authors' model cards."""

from __future__ import annotations

import re
from typing import Final, NamedTuple


class Prompts(NamedTuple):
    """The prefix of a text, by task."""

    query: str
    document: str


_BGE: Final = "Represent this sentence for searching relevant passages: "
_INSTRUCT: Final = "Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery: "
_FAMILIES: Final = {
    r"e5-mistral-7b-instruct|multilingual-e5-large-instruct": Prompts(_INSTRUCT, ""),  # before e5
    r"e5-(small|base|large)": Prompts("query: ", "passage: "),  # and multilingual-e5
    r"bge-(small|base|large)-en": Prompts(_BGE, ""),
    r"bge-(small|base|large)-zh": Prompts("为这个句子生成表示以用于检索相关文章：", ""),
    r"mxbai-embed-de-large": Prompts("query: ", "passage: "),
    r"mxbai-embed-(2d-)?large": Prompts(_BGE, ""),
    r"uae-large": Prompts(_BGE, ""),
    r"arctic-embed-[ml]-v2": Prompts("query: ", ""),  # before arctic-embed
    r"arctic-embed-(xs|s|m|l)": Prompts(_BGE, ""),
    r"nomic-embed-text|modernbert-embed": Prompts("search_query: ", "search_document: "),
}
"""By a part of a model's name in lower case; the first match wins. gte and bge-m3 need none."""


def known_prompts(name: str) -> Prompts:
    """Return the prompts of the family in a model's name; empty ones if the family is unknown."""
    for pattern, prompts in _FAMILIES.items():
        if re.search(rf"(?<![a-z0-9])({pattern})(?![a-z0-9])", name.lower()):
            return prompts
    return Prompts("", "")
