"""Comparisons in a metadata filter, beside equality."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, cast, get_args

from memory_mcp.domain.errors import InvalidArgumentError, cut

Operator = Literal["gte", "gt", "lte", "lt", "ne", "in"]
OPERATORS: Final = get_args(Operator)
_WORDS_OF_OTHERS: Final = """
    eq neq nin not and or nor exists contains like ilike regex match between startswith endswith is isnull not_in notin
    ge le = == != <> < <= > >=
"""
_OF_OTHERS: Final = frozenset(_WORDS_OF_OTHERS.split())
"""Operators of other systems: an object with one is not meant as a value."""
_WORDS_ALONE: Final = "equals not_eq greater_than less_than regexp range min max starts_with any all"
_ALONE: Final = frozenset(_WORDS_ALONE.split())
"""More of them, which ordinary objects may have beside other keys."""
_CHOICE: Final = f"choose one of: {', '.join(OPERATORS)}"
INTEGERS: Final = range(-(2**63), 2**63)
"""Integers that SQLite compares exactly (https://sqlite.org/datatype3.html); others would be rounded."""

SHOWN_DIGITS: Final = 32
"""Digits of a too large number that an error shows."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One comparison of a metadata value."""

    operator: Operator
    """Ranges compare numbers with numbers and strings with strings; a missing key also satisfies "ne"."""
    operands: tuple[object, ...]
    """The operands: one, or several for "in"."""


def comparisons(name: str, wanted: object) -> list[Comparison]:
    """Return the comparisons that a filter's value asks of the key `name`.

    An object is a set of comparisons if one of its keys is an operator, looks like an operator of another system, or
    begins with `$`; any other object is a value to equal.

    Raises:
        InvalidArgumentError: an operator is unknown, or its operand has the wrong type; names `metadata` and the key.
    """
    argument = f"metadata.{name}"
    if not isinstance(wanted, Mapping):
        return [Comparison("in", (_comparable(argument, wanted),))]
    if not wanted:
        raise InvalidArgumentError(argument, f"{{}} has no operator; give a value, or one of {', '.join(OPERATORS)}")
    if not any(_is_operator(str(key), alone=len(wanted) == 1) for key in wanted):
        return [Comparison("in", (wanted,))]
    return [_comparison(argument, str(operator), operand) for operator, operand in wanted.items()]


def check(metadata: Mapping[str, object]) -> None:
    """Check a whole metadata filter.

    Raises:
        InvalidArgumentError: as `comparisons`, or a key is an operator such as `$or`.
    """
    for name, wanted in metadata.items():
        if name.startswith("$") and _is_operator(name[1:], alone=True):
            raise InvalidArgumentError(
                f"metadata.{name}", f"unknown operator {name!r}; give a metadata key, and inside it {_CHOICE}"
            )
        comparisons(name, wanted)


def _is_operator(key: str, *, alone: bool) -> bool:
    name = key.strip().strip("_").lower()
    return name.startswith("$") or name in OPERATORS or name in _OF_OTHERS or (alone and name in _ALONE)


def _comparison(argument: str, operator: str, operand: object) -> Comparison:
    if operator not in OPERATORS:
        literal = 'to match an object itself, use {"in": [object]}'
        raise InvalidArgumentError(argument, f"unknown operator {cut(operator)!r}; {_CHOICE}; {literal}")
    if operator == "in":
        if not isinstance(operand, list):
            raise InvalidArgumentError(argument, "'in' needs a list")
        return Comparison("in", tuple(_comparable(argument, value) for value in operand))
    if operator != "ne" and (isinstance(operand, bool) or not isinstance(operand, str | int | float)):
        raise InvalidArgumentError(argument, f"{operator!r} needs a number or a string")
    return Comparison(cast("Operator", operator), (_comparable(argument, operand),))


def _comparable(argument: str, operand: object) -> object:
    if isinstance(operand, int) and operand not in INTEGERS:
        digits = f"{str(operand)[:SHOWN_DIGITS]}…" if len(str(operand)) > SHOWN_DIGITS else str(operand)
        raise InvalidArgumentError(
            argument, f"{digits} does not fit into 64 bits, so it cannot be compared; store and compare it as a string"
        )
    return operand
