"""Reads a client's file and replaces it atomically, keeping its mode and a backup next to it."""

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
    """A client's file; the text None means that there is no file."""

    path: Path

    @property
    def backup(self) -> ConfigFile:
        """The backup next to it."""
        return ConfigFile(self.path.with_name(self.path.name + BACKUP))

    def read(self) -> str | None:
        """Return the text.

        Raises:
            ProvisionError: it cannot be read, or is not UTF-8.
        """
        try:
            if self.path.exists() and not self.path.is_file() and not self.path.is_dir():
                raise ProvisionError(
                    f"{self.path} is a pipe, a socket or a device; replace it with a file"
                )  # reading would block
            return self.path.read_bytes().decode()
        except FileNotFoundError:
            return None
        except UnicodeDecodeError as error:
            raise ProvisionError(f"{self.path} is not UTF-8 and was left unchanged; save it as UTF-8 first") from error
        except OSError as error:
            raise ProvisionError(f"{self.path} cannot be read ({error.strerror}); fix its owner and mode") from error

    def replace(self, before: str | None, after: str | None) -> None:
        """Replace the text that was read, atomically; a link stays a link.

        Raises:
            ProvisionError: it cannot be written, or has changed since it was read.
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
                flush_to_disk(file)  # as late as possible, to leave little time for another change
                self._expect(before)
        except OSError as error:
            raise ProvisionError(
                f"{self.path} cannot be written ({error.strerror}); fix the owner and mode of the file and its folder"
            ) from error

    def _expect(self, before: str | None) -> None:
        if self.read() != before:
            raise ProvisionError(f"{self.path} has changed in the meantime and was left unchanged; run this again")
