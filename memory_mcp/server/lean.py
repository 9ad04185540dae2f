"""Importing packages without what they import beside what is wanted of them.

This replaces packages of the MCP SDK and of others by Python's own means, and touches no private name: those stand in
`server/mcp/private.py`. It runs before anything of `server/mcp` is imported, so that it cannot stand there.
"""

from __future__ import annotations

import contextlib
import importlib.util
import sys
import threading
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Final

_LOCK: Final = threading.RLock()
"""Held while an `__init__` runs: other threads wait for its end, and it may itself ask for its own names."""


def defer(*packages: str) -> None:
    """Put packages in place whose `__init__` runs when one of its names is first asked for; parents come first.

    `import package.module` asks for none. A package that was imported already stays as it is.
    """
    for name in packages:
        spec = None if name in sys.modules else importlib.util.find_spec(name)
        if spec is not None:
            sys.modules[name] = _deferred(spec)


def _deferred(spec: ModuleSpec) -> ModuleType:
    module, begun = importlib.util.module_from_spec(spec), False

    def get(name: str) -> object:
        nonlocal begun
        if name.startswith("__") or spec.loader is None:  # what the import system looks for
            raise AttributeError(f"module {spec.name!r} has no attribute {name!r}")
        with _LOCK:
            if not begun:
                begun = True
                spec.loader.exec_module(module)
                if vars(module).get("__getattr__") is get:
                    del vars(module)["__getattr__"]
        try:
            return vars(module)[name]
        except KeyError:
            raise AttributeError(f"module {spec.name!r} has no attribute {name!r}") from None

    vars(module)["__getattr__"] = get  # https://peps.python.org/pep-0562/
    return module


@contextlib.contextmanager
def without(package: str) -> Iterator[None]:
    """Let what is imported meanwhile find an optional package missing, unless it was imported before."""
    if package in sys.modules:
        yield
        return
    sys.modules[package] = None  # type: ignore[assignment]  # documented: the import then fails
    try:
        yield
    finally:
        del sys.modules[package]
