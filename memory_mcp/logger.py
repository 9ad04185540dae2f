"""A logger that costs nothing until it is used: importing structlog takes a tenth of most commands' time."""

from __future__ import annotations

from collections.abc import Callable


class Logger:
    """structlog's logger of a name, created at the first call."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, level: str) -> Callable[..., None]:
        """Return a method of structlog's logger; configures structlog first if necessary."""
        import structlog  # noqa: PLC0415 - see above

        if not structlog.is_configured():  # in a command; a server configures it when it starts
            from memory_mcp import logs, settings  # noqa: PLC0415 - structlog

            logs.configure(settings.load())
        method: Callable[..., None] = getattr(structlog.get_logger(self._name), level)
        return method
