"""Why a map was not drawn."""

from __future__ import annotations


class MapError(Exception):
    """The map cannot be drawn; the message says why and what fixes it. No caller gets it: the map's state tells."""


class NothingToDrawError(MapError):
    """No memory has a vector yet."""
