"""Describes a program's settings and the source of each value, in the same way for both programs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from pydantic import AliasChoices
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Described:
    """A setting with its current value."""

    name: str
    """Its environment variable."""
    value: object
    """As JSON; a SecretStr is masked."""
    origin: str
    """The source that gave the value, or `default`."""
    unit: str
    """The unit of a number; empty otherwise."""
    sentence: str


def variable(prefix: str, name: str, field: FieldInfo) -> str:
    """Return a setting's environment variable."""
    alias = field.validation_alias
    return str(alias.choices[0]) if isinstance(alias, AliasChoices) else f"{prefix}{name.upper()}"


def told(field: FieldInfo, what: str) -> str:
    """Return an entry of a field's `json_schema_extra`: its `unit`, or its machine-dependent `default` in words."""
    extra = field.json_schema_extra
    return str(extra.get(what, "")) if isinstance(extra, dict) else ""


def describe(made: BaseSettings, sources: Mapping[str, PydanticBaseSettingsSource]) -> list[Described]:
    """Return every setting in the order of its class; `sources` are by name, strongest first."""
    prefix = made.model_config.get("env_prefix", "")
    given = {origin: source() for origin, source in sources.items()}
    values = made.model_dump(mode="json")
    described = []
    for name, field in type(made).model_fields.items():
        its_variable = variable(prefix, name, field)
        origin = next((each for each, held in given.items() if held.keys() & {name, its_variable}), DEFAULT)
        described.append(Described(its_variable, values[name], origin, told(field, "unit"), field.description or ""))
    return described


def nearest(name: str, known: Iterable[str], shown: Callable[[str], str] = str) -> str:
    """Return a hint at the nearest name in its displayed form; empty if none is near."""
    import difflib  # noqa: PLC0415 - 8 ms, only after a mistake

    near = difflib.get_close_matches(name.lower(), list(known), n=1)
    return f", did you mean {shown(near[0])}?" if near else ""
