"""Certificates that are read again when they change, and only when they fit together."""

from __future__ import annotations

from pathlib import Path

import pytest

from memory_common.tls_files import RenewedTls, TlsFiles
from tests.certificates import Authority


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Make an authority."""
    return Authority(tmp_path)


def test_a_renewed_certificate_is_read_once_it_has_its_key(authority: Authority) -> None:
    """In between, what was there before goes on; a file that vanishes for a moment changes nothing."""
    files = authority.make("daemon", "daemon.test")
    held = RenewedTls(files)
    first = held.material
    assert not held.renew()
    key = files.key.read_bytes()
    authority.make("daemon", "daemon.test")
    new = files.key.read_bytes()
    files.key.write_bytes(key)
    assert not held.renew()
    files.key.unlink()
    assert not held.renew()
    assert held.material == first
    files.key.write_bytes(new)
    assert held.renew()
    assert held.material == (files.cert.read_bytes(), new, files.ca.read_bytes())
    assert not held.renew()


def test_a_link_that_leads_elsewhere_is_followed(authority: Authority, tmp_path: Path) -> None:
    """As an orchestrator replaces secrets: a link to a folder is turned to another one."""
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
        made = authority.make("daemon", "daemon.test")
        made.cert.rename(folder / "tls.crt")
        made.key.rename(folder / "tls.key")
    now = tmp_path / "now"
    now.symlink_to(folders[0])
    held = RenewedTls(TlsFiles(now / "tls.crt", now / "tls.key", authority.file))
    turned = tmp_path / "turned"
    turned.symlink_to(folders[1])
    turned.rename(now)
    assert held.renew()
    assert held.material.cert == (folders[1] / "tls.crt").read_bytes()


@pytest.mark.parametrize("wrong", ["cert", "key", "ca"])
def test_a_file_that_is_none_is_named(authority: Authority, wrong: str) -> None:
    """Missing, or something else."""
    files = authority.make("daemon", "daemon.test")
    path: Path = getattr(files, wrong)
    path.write_text("nothing")
    with pytest.raises(ValueError, match=path.name):
        RenewedTls(files)
    path.unlink()
    with pytest.raises(ValueError, match=f"{path.name} cannot be read"):
        RenewedTls(files)
