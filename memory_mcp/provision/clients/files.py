"""Reads and replaces a client's file: as a whole, by its own mode, with a copy of what was there beside it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from memory_common.whole_file import PRIVATE, flush_to_disk, replacing
from memory_mcp.provision.errors import ProvisionError

BACKUP: Final = ".before-memory-mcp"


@dataclass(frozen=True)
class ConfigFile:
    """A file of a client's; no text is no file."""

    path: Path

    @property
    def backup(self) -> ConfigFile:
        """The copy beside it."""
        return ConfigFile(self.path.with_name(self.path.name + BACKUP))

    def read(self) -> str | None:
        """Return the text.

        Raises:
            ProvisionError: it cannot be read, or is no UTF-8.
        """
        try:
            if self.path.exists() and not self.path.is_file() and not self.path.is_dir():
                raise ProvisionError(f"{self.path} is no file but a pipe, a socket or a device")  # reading would wait
            return self.path.read_bytes().decode()
        except FileNotFoundError:
            return None
        except UnicodeDecodeError as error:
            raise ProvisionError(f"{self.path} is no UTF-8; it is left as it was, fix it first") from error
        except OSError as error:
            raise ProvisionError(f"{self.path} cannot be read ({error.strerror})") from error

    def replace(self, before: str | None, after: str | None) -> None:
        """Put a text in place of the one that was read, at once for every reader; a link stays a link.

        Raises:
            ProvisionError: it cannot be written, or was changed since it was read.
        """
        target = Path(os.path.realpath(self.path))
        try:
            if after is None:
                self._expect(before)
                target.unlink(missing_ok=True)
                return
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            mode = target.stat().st_mode & 0o7777 if target.exists() else PRIVATE
            with replacing(target, mode) as file:
                file.write(after.encode())
                flush_to_disk(file)  # now, so that little time is left for a change between this look and the end
                self._expect(before)
        except OSError as error:
            raise ProvisionError(f"{self.path} cannot be written ({error.strerror})") from error

    def _expect(self, before: str | None) -> None:
        if self.read() != before:
            raise ProvisionError(f"{self.path} was changed meanwhile and is left as it is; run this again")
