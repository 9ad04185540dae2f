"""The secrets of bearer tokens: made here, kept by nobody."""

from __future__ import annotations

import hashlib
import secrets
from typing import Final

SECRET_BYTES: Final = 32
ID_BYTES: Final = 4
PREFIX: Final = "mm_"
"""A prefix by which scanners find leaked tokens."""


def new_secret() -> str:
    """Return a new token."""
    return PREFIX + secrets.token_urlsafe(SECRET_BYTES)


def digest_of(secret: str) -> str:
    """Return a token's SHA-256 in hexadecimal; a token has 256 random bits, so no slower hash is needed."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
