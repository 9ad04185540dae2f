"""Numbers in words, from 2 to 99 (in the Romance languages to 60, which is as far as minutes go)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def table(kind: str, words: Sequence[str], first: int) -> dict[str, str]:
    """Return the rows of a vocabulary for consecutive numbers; each string holds the words of one number."""
    return {f"{kind} {number}": forms for number, forms in enumerate(words, first)}


def english() -> dict[str, str]:
    """Return two to ninety-nine."""
    ones = "one two three four five six seven eight nine".split()
    small = [*ones[1:], *"ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()]
    rows = table("num", small, 2)
    for ten, word in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), 2):
        rows[f"num {10 * ten}"] = word
        rows |= {f"num {10 * ten + one}": f"{word}-{name}, {word} {name}" for one, name in enumerate(ones, 1)}
    return rows


def german() -> dict[str, str]:
    """Return zwei to neunundneunzig."""
    ones = "ein zwei drei vier fünf sechs sieben acht neun".split()
    small = [*ones[1:], *"zehn elf zwölf dreizehn vierzehn fünfzehn sechzehn siebzehn achtzehn neunzehn".split()]
    rows = table("num", small, 2)
    for ten, word in enumerate("zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig".split(), 2):
        rows[f"num {10 * ten}"] = word
        rows |= {f"num {10 * ten + one}": f"{name}und{word}" for one, name in enumerate(ones, 1)}
    return rows


def romance(small: Sequence[str], tens: Mapping[int, str], ones: Sequence[str], joints: Sequence[str]) -> dict[str, str]:
    """Return the numbers below the tens (`small`, from 2 on), the tens, and what is joined of both."""
    rows = table("num", small, 2)
    for ten, word in tens.items():
        rows[f"num {ten}"] = word
        for one, name in enumerate(ones, 1):
            rows.setdefault(f"num {ten + one}", ", ".join(f"{word}{joint}{name}" for joint in joints))
    return rows
