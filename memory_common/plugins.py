"""What installed packages add to ours: entry points, found by the name that a setting gives."""

from __future__ import annotations

from collections.abc import Callable, Collection
from importlib.metadata import EntryPoint, entry_points


class PluginError(ValueError):
    """A name that nobody provides, or that two do, or a package that does not work; one sentence with the fix."""


def added(group: str, ours: Collection[str]) -> dict[str, EntryPoint]:
    """Return what installed packages add to a group, by name; some milliseconds, all packages are looked through.

    Raises:
        PluginError: a package takes one of our names, or two take the same.
    """
    found: dict[str, EntryPoint] = {}
    for entry in entry_points(group=group):
        if entry.name in ours:
            raise PluginError(
                f"the package {_package(entry)} takes the name {entry.name!r}, which is ours ({', '.join(ours)}): "
                "uninstall it, or have it choose another"
            )
        if entry.name in found:
            packages = f"{_package(found[entry.name])} and {_package(entry)}"
            raise PluginError(f"the packages {packages} both add {entry.name!r}: uninstall one of them")
        found[entry.name] = entry
    return found


def checked(group: str, ours: Collection[str], name: str) -> str:
    """Return a name that is ours or that a package adds; other packages are looked for only where it is not ours.

    Raises:
        PluginError: nobody provides it; says what there is.
    """
    if name not in ours and name not in (more := added(group, ours)):
        raise PluginError(f"there is no {name[:64]!r}, there are {', '.join([*ours, *sorted(more)])}")
    return name


def load(entry: EntryPoint) -> Callable[..., object]:
    """Import the function that an entry point names.

    Raises:
        PluginError: that fails, or it is none.
    """
    try:
        made: object = entry.load()
    except Exception as error:
        raise _unusable(entry, f"{type(error).__name__}: {error}") from error
    if not callable(made):
        raise _unusable(entry, f"{entry.value} is no function")
    return made


def _unusable(entry: EntryPoint, why: str) -> PluginError:
    return PluginError(f"the package {_package(entry)} adds {entry.name!r}, which cannot be used ({why}): fix it")


def _package(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist else entry.value
