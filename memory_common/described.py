"""What a program's settings are and where each value came from; both programs tell it in the same way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from pydantic import AliasChoices
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Described:
    """A setting as it is now."""

    name: str
    """Its environment variable."""
    value: object
    """As JSON; a SecretStr is masked."""
    origin: str
    """The source that gave the value, or `default`."""
    unit: str
    """Of a number, and only there."""
    sentence: str


def variable(prefix: str, name: str, field: FieldInfo) -> str:
    """Return a setting's environment variable."""
    alias = field.validation_alias
    return str(alias.choices[0]) if isinstance(alias, AliasChoices) else f"{prefix}{name.upper()}"


def told(field: FieldInfo, what: str) -> str:
    """Return what a field's `json_schema_extra` tells: its `unit`, or in words the `default` that a machine decides."""
    extra = field.json_schema_extra
    return str(extra.get(what, "")) if isinstance(extra, dict) else ""


def describe(made: BaseSettings, sources: Mapping[str, PydanticBaseSettingsSource]) -> list[Described]:
    """Return every setting in the order of its class; the sources are named, the strongest first."""
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
    """Return a hint at the name that is nearest, as it is to be shown, or nothing."""
    import difflib  # noqa: PLC0415 - 8 ms, for a mistake alone

    near = difflib.get_close_matches(name.lower(), list(known), n=1)
    return f", did you mean {shown(near[0])}?" if near else ""
