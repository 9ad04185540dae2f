"""Names of files and folders that hold secrets as a rule: none is read unless somebody asks for it by hand."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Final

FOLDERS: Final = (
    ".git",
    ".hg",
    ".svn",
    ".ssh",
    ".gnupg",
    ".aws",
    ".azure",
    ".kube",
    ".docker",
    ".gcloud",
    "gcloud",
    ".password-store",
    ".terraform",
    ".vault",
)
FILES: Final = (
    ".env",
    ".env.*",
    "*.env",
    ".envrc",
    ".netrc",
    "_netrc",
    ".npmrc",
    ".pypirc",
    ".pgpass",
    ".my.cnf",
    ".git-credentials",
    ".htpasswd",
    ".dockercfg",
    ".s3cfg",
    ".boto",
    "credentials",
    "credentials.json",
    "client_secret*.json",
    "*.tfstate",
    "*.tfstate.*",
    "*.kdb",
    "*.kdbx",
    ".bash_history",
    ".zsh_history",
    "*.pem",
    "*.key",
    "*.p8",
    "*.p12",
    "*.pfx",
    "*.jks",
    "*.keystore",
    "*.ppk",
    "*.gpg",
    "*.pgp",
    "*.keychain",
    "*.keychain-db",
    "id_rsa*",
    "id_dsa*",
    "id_ecdsa*",
    "id_ed25519*",
    "secring.*",
)
HARMLESS: Final = (".env.example", ".env.sample", ".env.template", ".env.dist", "example.env", "sample.env")
"""Made to be shown."""


def secret(parts: Iterable[str]) -> str:
    """Return the part of a path that says that it holds secrets; empty if none does. The last part is a file's."""
    *folders, file = [part.casefold() for part in parts] or [""]
    named = [folder for folder in folders if folder in FOLDERS]
    if named:
        return named[0]
    return file if is_secret_file(file) else ""


def is_secret_file(name: str) -> bool:
    """Whether a file of this name holds secrets as a rule."""
    folded = name.casefold()
    return folded not in HARMLESS and any(fnmatchcase(folded, pattern) for pattern in (*FILES, *FOLDERS))
