"""`python -I -m embedder_daemon.print_settings`: prints the daemon's settings as JSON, for `memory-mcp config`."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

from embedder_daemon import settings
from embedder_daemon.errors import DaemonSettingsError


def main() -> int:
    """Print the file, every setting, and the unknown variables."""
    try:
        described = settings.described()
    except DaemonSettingsError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    told = {
        "file": str(settings.toml_file()),
        "settings": [asdict(each) for each in described],
        "unknown": settings.unknown_variables(),
    }
    sys.stdout.write(json.dumps(told) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
