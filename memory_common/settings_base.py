"""The common part of both programs' settings: the TOML file as a source, and unknown names."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING

from pydantic_settings import TomlConfigSettingsSource

from memory_common.described import nearest
from memory_common.utf8 import NotUtf8Error, decoded

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable
    from pathlib import Path


class SettingsFileError(ValueError):
    """The file cannot be read; one sentence with the file, the line and the fix."""


class TomlFile(TomlConfigSettingsSource):
    """The TOML file, with or without a byte order mark."""

    def _read_file(self, file_path: Path | Traversable) -> dict[str, object]:
        """Read the file.

        Raises:
            SettingsFileError: it cannot be read, or is not UTF-8 or not TOML.
        """
        import tomllib  # noqa: PLC0415 - only if there is a file

        try:
            return tomllib.loads(decoded(file_path.read_bytes()))
        except OSError as error:
            raise SettingsFileError(f"{file_path} cannot be read ({error.strerror}); make it readable") from error
        except NotUtf8Error as error:
            raise SettingsFileError(f"{file_path}: {error}") from error
        except tomllib.TOMLDecodeError as error:
            raise SettingsFileError(f"{file_path} is not TOML: {error}; correct that line") from error


def unknown_names(
    given: Iterable[str], prefix: str, known: Collection[str], fields: Collection[str], shown: Callable[[str], str]
) -> list[str]:
    """Return one sentence for each of a program's variables that is not a setting, sorted.

    Args:
        given: the names in the environment.
        prefix: of the program's variables; others are ignored.
        known: the settings' variables.
        fields: the settings, for hints at the nearest one.
        shown: returns a field's variable.
    """
    strangers = sorted(name for name in given if name.startswith(prefix) and name.upper() not in known)
    return [f"{name} is not a setting{nearest(name.removeprefix(prefix), fields, shown)}" for name in strangers]
