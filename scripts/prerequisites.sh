#!/bin/sh
# Checks what the environments need, one line for each thing that is missing, before anything is installed.
# Usage: prerequisites.sh PYTHON
set -eu

fail() {
    echo "memory-mcp: $1" >&2
    exit 1
}

version=$("$1" -I -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])' 2>/dev/null) ||
    fail "there is no working Python '$1': install Python 3.11 or newer, or name one: make PYTHON=/path/to/python3"
major=${version%%.*}
rest=${version#*.}
minor=${rest%%.*}
[ "$major" -gt 3 ] || { [ "$major" -eq 3 ] && [ "$minor" -ge 11 ]; } ||
    fail "'$1' is Python $version: install 3.11 or newer, or name one: make PYTHON=/path/to/python3"
[ -z "${EMBEDDER_PYTHON:-}" ] || "$EMBEDDER_PYTHON" -I -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
    fail "EMBEDDER_PYTHON='$EMBEDDER_PYTHON' is no Python 3.11 or newer: name another one, or unset it"
"$1" -I -c 'import venv, ensurepip' 2>/dev/null ||
    fail "'$1' cannot create virtual environments: install its venv module (Debian and Ubuntu: apt install python3-venv)"
