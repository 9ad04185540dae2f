"""Plug-ins of installed packages: entry points, selected by the name in a setting."""

from __future__ import annotations

from collections.abc import Callable, Collection
from importlib.metadata import EntryPoint, entry_points


class PluginError(ValueError):
    """A name is unknown or ambiguous, or a package is broken; one sentence with the fix."""


def added(group: str, ours: Collection[str]) -> dict[str, EntryPoint]:
    """Return the entry points of a group by name; takes some milliseconds, as it searches all packages.

    Raises:
        PluginError: a package uses one of our names, or two use the same.
    """
    found: dict[str, EntryPoint] = {}
    for entry in entry_points(group=group):
        if entry.name in ours:
            raise PluginError(
                f"the package {_package(entry)} uses the built-in name {entry.name!r} ({', '.join(ours)}): "
                "uninstall it, or have its author rename it"
            )
        if entry.name in found:
            packages = f"{_package(found[entry.name])} and {_package(entry)}"
            raise PluginError(f"the packages {packages} both add {entry.name!r}: uninstall one of them")
        found[entry.name] = entry
    return found


def checked(group: str, ours: Collection[str], name: str) -> str:
    """Check that a name is ours or a package's; searches packages only if it is not ours.

    Raises:
        PluginError: it is unknown; the message lists the known names.
    """
    if name not in ours and name not in (more := added(group, ours)):
        raise PluginError(f"unknown name {name[:64]!r}; choose one of: {', '.join([*ours, *sorted(more)])}")
    return name


def load(entry: EntryPoint) -> Callable[..., object]:
    """Import the function that an entry point names.

    Raises:
        PluginError: the import fails, or it is not a function.
    """
    try:
        made: object = entry.load()
    except Exception as error:
        raise _unusable(entry, f"{type(error).__name__}: {error}") from error
    if not callable(made):
        raise _unusable(entry, f"{entry.value} is not a function")
    return made


def _unusable(entry: EntryPoint, why: str) -> PluginError:
    return PluginError(f"the package {_package(entry)} adds {entry.name!r}, which cannot be used ({why}): fix it")


def _package(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist else entry.value
