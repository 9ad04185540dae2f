"""The bearer tokens of HTTP clients: a file of digests that only its owner can read."""

from __future__ import annotations

import contextlib
import hmac
import secrets
import shlex
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from memory_common import whole_file
from memory_common.file_lock import locked
from memory_common.utf8 import NotUtf8Error, decoded
from memory_mcp.domain.checks import OTHERS, skipped
from memory_mcp.domain.errors import NO_ROOM, ConflictError, DiskFullError, NotFoundError, SettingsError
from memory_mcp.domain.models import Condition, Finding
from memory_mcp.domain.names import nfc
from memory_mcp.domain.principal import Scope, Token
from memory_mcp.storage.token_secrets import ID_BYTES, digest_of, new_secret

if TYPE_CHECKING:
    from memory_mcp.health.registry import Registry


def _now() -> datetime:
    return datetime.now(UTC)


class _Entry(BaseModel):
    """A token as stored in the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    name: str
    digest: str
    scopes: tuple[Scope, ...]
    namespace: Annotated[str, AfterValidator(nfc)] | None
    created_at: datetime
    expires_at: datetime | None

    @property
    def token(self) -> Token:
        """Return the token without its digest."""
        return Token(self.id, self.name, self.scopes, self.namespace, self.created_at, self.expires_at)


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    version: int = 1
    tokens: list[_Entry] = []


class TokenFile:
    """See `domain.ports.Tokens`; rereads the file when it changes, so a revoked token is refused at once."""

    waits: Final = False

    def __init__(self, path: Path, now: Callable[[], datetime] = _now) -> None:
        self._path = path
        self._now = now
        self._read: tuple[tuple[int, int, int], list[_Entry]] | None = None

    def close(self) -> None:
        """Nothing to let go of: the file is opened for each look."""

    def all(self) -> list[Token]:
        return [entry.token for entry in self._entries()]

    def _entries(self) -> list[_Entry]:
        """Return what the file holds.

        Raises:
            SettingsError: it cannot be read, is not a file of tokens, or others can read it.
        """
        try:
            status = self._path.stat()
            if status.st_mode & OTHERS:
                raise SettingsError(f"{self._path} can be read by others; run chmod 600 {self._path}")
            mark = status.st_mtime_ns, status.st_ino, status.st_size
            if self._read is None or self._read[0] != mark:
                self._read = mark, _File.model_validate_json(decoded(self._path.read_bytes())).tokens
        except FileNotFoundError:
            return []
        except NotUtf8Error as error:
            raise SettingsError(f"{self._path} cannot be read as a file of tokens: {error}") from error
        except (OSError, ValidationError) as error:
            raise SettingsError(f"{self._path} is not a file of tokens; move it away and create new tokens") from error
        return self._read[1]

    def holder(self, secret: str) -> Token | None:
        """Return the token that a client presented; compares all of them, so that the time reveals nothing."""
        digest = digest_of(secret)
        found = None
        for entry in self._entries():
            if hmac.compare_digest(entry.digest, digest) and self._is_alive(entry):
                found = entry
        return None if found is None else found.token

    def is_valid(self, token_id: str) -> bool:
        with contextlib.suppress(SettingsError):
            return any(entry.id == token_id and self._is_alive(entry) for entry in self._entries())
        return False

    def _is_alive(self, entry: _Entry) -> bool:
        return entry.expires_at is None or self._now() < entry.expires_at

    def create(
        self, name: str, scopes: Sequence[Scope], namespace: str | None, expires_at: datetime | None
    ) -> tuple[str, Token]:
        """Create a token; the file stores only its digest."""
        secret = new_secret()
        entry = _Entry(
            id=secrets.token_hex(ID_BYTES),
            name=name,
            digest=digest_of(secret),
            scopes=tuple(scopes),
            namespace=namespace,
            created_at=self._now(),
            expires_at=expires_at,
        )
        with self._writing():
            held = self._entries()
            if any(other.name == name for other in held):
                raise ConflictError(f"a token named {name!r} already exists; revoke it first, or choose another name")
            self._write([*held, entry])
        return secret, entry.token

    def revoke(self, named: str) -> Token:
        with self._writing():
            held = self._entries()
            gone = next((entry for entry in held if named in {entry.name, entry.id}), None)
            if gone is None:
                raise NotFoundError(f"there is no token {named!r}; `memory-mcp token list` lists them")
            self._write([entry for entry in held if entry != gone])
        return gone.token

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with locked(self._path.with_name(self._path.name + ".lock")):
            yield

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """Lock the file, and translate the system's errors.

        Raises:
            DiskFullError, SettingsError: nothing was changed.
        """
        try:
            with self._locked():
                yield
        except OSError as error:
            if error.errno in NO_ROOM:
                raise DiskFullError(self._path) from error
            raise SettingsError(
                f"{self._path} cannot be written ({error.strerror}); make it and its folder writable, "
                "or name another file with MCP_MEMORY_TOKENS_PATH"
            ) from error

    def _write(self, entries: list[_Entry]) -> None:
        """Replace the file atomically: a reader sees the old one or the new one."""
        whole_file.write(self._path, _File(tokens=entries).model_dump_json(indent=2).encode())


def register(registry: Registry, path: Path) -> None:
    """Register the check of the file."""
    registry.add_blocking("tokens", partial(look, path))


def look(path: Path, seconds: float) -> Finding:
    """Check that the file can be read, and only by its owner.

    Raises:
        SettingsError: it is not a file of tokens.
    """
    del seconds  # it only reads a small file
    if not path.exists():
        return skipped("there are no tokens, so nobody can call over HTTP")
    if path.stat().st_mode & OTHERS:
        fix = f"chmod 600 {shlex.quote(str(path))}"
        return Finding(Condition.FAILED, "not private", f"others on this machine can read {path}", fix)
    return Finding(
        Condition.OK, "private", detail=f"{len(TokenFile(path).all())} in {path}, readable by this user only"
    )
