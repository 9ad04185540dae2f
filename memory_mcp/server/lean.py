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
"""Held while an `__init__` runs, so that other threads wait; reentrant, because it may use its own names."""


def defer(*packages: str) -> None:
    """Register packages whose `__init__` runs only when one of its names is first used; list parents first.

    `import package.module` does not run it. A package that is already imported stays as it is.
    """
    for name in packages:
        spec = None if name in sys.modules else importlib.util.find_spec(name)
        if spec is not None:
            sys.modules[name] = _deferred(spec)


def _deferred(spec: ModuleSpec) -> ModuleType:
    module, begun = importlib.util.module_from_spec(spec), False

    def get(name: str) -> object:
        nonlocal begun
        if name.startswith("__") or spec.loader is None:  # looked up by the import system itself
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
def without(*packages: str) -> Iterator[None]:
    """Make optional packages look missing to imports in the context, except those that were imported before."""
    hidden = [name for name in packages if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # documented: the import of None fails
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


@contextlib.contextmanager
def building_later() -> Iterator[None]:
    """Let models that are defined in the context build their validators at their first use.

    The SDK defines some hundred for each version of the protocol, and a session uses a few of one. What else is first
    imported in the context waits as well.
    """
    from pydantic import BaseModel  # noqa: PLC0415 - not for every command

    BaseModel.model_config["defer_build"] = True
    try:
        yield
    finally:
        del BaseModel.model_config["defer_build"]
