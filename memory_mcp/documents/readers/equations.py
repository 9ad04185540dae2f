"""Writes Office's equations (OMML) on a line: `x = (-b ± √(b^2 - 4ac))/(2a)`."""

from __future__ import annotations

from typing import Final

from memory_mcp.documents.readers.xml import Element

_SIMPLE: Final = {
    "m:f": ("m:num", "/", "m:den"),
    "m:sSup": ("m:e", "^", "m:sup"),
    "m:sSub": ("m:e", "_", "m:sub"),
    "m:sSubSup": ("m:e", "_", "m:sub", "^", "m:sup"),
    "m:rad": ("m:deg", "√", "m:e"),
    "m:limLow": ("m:e", "_", "m:lim"),
    "m:limUpp": ("m:e", "^", "m:lim"),
    "m:func": ("m:fName", " ", "m:e"),
}
"""What an element is written as: its children's names, and what stands between them."""


def equation(element: Element) -> str:
    """Return the text of `m:oMath`, `m:oMathPara` or a part of one."""
    if element.name in _SIMPLE:
        return "".join(_part(element, item) if item.startswith("m:") else item for item in _SIMPLE[element.name])
    if element.name == "m:nary":
        return _many(element)
    if element.name == "m:d":
        return _in_brackets(element)
    if element.name == "m:t":
        return element.text()
    return "".join(equation(child) for child in element.elements())


def _part(element: Element, name: str) -> str:
    """Return a child's text, in brackets where it is more than one letter or number."""
    part = element.find(name)
    text = equation(part) if part is not None else ""
    return text if text.isalnum() or not text or name == "m:fName" else f"({text})"


def _many(element: Element) -> str:
    """Return a sum, an integral and the like."""
    sign = element.find("m:naryPr", "m:chr")
    limits = "".join(
        f"{mark}{text}" for mark, name in (("_", "m:sub"), ("^", "m:sup")) if (text := _part(element, name))
    )
    return f"{sign.get('m:val') if sign is not None else '∫'}{limits} {_part(element, 'm:e')}"


def _in_brackets(element: Element) -> str:
    def bracket(name: str, usual: str) -> str:
        found = element.find("m:dPr", name)
        return found.get("m:val", usual) if found is not None else usual

    parts = bracket("m:sepChr", "|").join(equation(part) for part in element.elements("m:e"))
    return f"{bracket('m:begChr', '(')}{parts}{bracket('m:endChr', ')')}"
