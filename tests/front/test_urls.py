"""The address of a server, and whether what is sent there leaves the machine."""

from __future__ import annotations

import pytest

from memory_mcp.domain.urls import host_of, http_url, is_encrypted, is_loopback, place_of, postgres_url, redis_url


@pytest.mark.parametrize(
    ("given", "url", "host", "stays", "hidden"),
    [
        ("http://127.0.0.1:11434/", "http://127.0.0.1:11434", "127.0.0.1", True, False),
        (" http://localhost:8080/v1/ ", "http://localhost:8080/v1", "localhost", True, False),
        ("https://[::1]", "https://[::1]", "::1", True, True),
        ("http://models.localhost", "http://models.localhost", "models.localhost", True, False),
        ("http://127.9.9.9", "http://127.9.9.9", "127.9.9.9", True, False),
        ("https://models.lan", "https://models.lan", "models.lan", False, True),
        ("http://localhost.example.org", "http://localhost.example.org", "localhost.example.org", False, False),
        ("http://192.168.1.2:11434", "http://192.168.1.2:11434", "192.168.1.2", False, False),
    ],
)
def test_an_address_tells_where_it_leads(given: str, url: str, host: str, *, stays: bool, hidden: bool) -> None:
    """Only loopback is sure to be this machine."""
    assert http_url(given) == url
    assert (host_of(url), is_loopback(url), is_encrypted(url)) == (host, stays, hidden)


@pytest.mark.parametrize(
    "wrong",
    [
        "localhost:11434",
        "ftp://host",
        "http://",
        "http://me:secret@host",
        "http://host?key=1",
        "http://host#a",
        "http://host:port",
        "http://[1",
        "",
    ],
)
def test_what_is_no_address_is_refused(wrong: str) -> None:
    """With an example; a secret is not repeated."""
    with pytest.raises(ValueError, match="127") as caught:
        http_url(wrong)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "url", "place"),
    [
        ("redis://cache", "redis://cache", "cache"),
        (" valkeys://me:hunter2@cache:6380/2 ", "rediss://me:hunter2@cache:6380/2", "cache:6380/2"),
        ("valkey://[::1]:6379", "redis://[::1]:6379", "[::1]:6379"),
        ("rediss://cache/0?ssl_ca_certs=/etc/ca.pem", "rediss://cache/0?ssl_ca_certs=/etc/ca.pem", "cache/0"),
    ],
)
def test_the_place_of_a_shared_server_holds_no_secret(given: str, url: str, place: str) -> None:
    """Valkey's schemes are Redis's."""
    assert redis_url(given) == url
    assert place_of(url) == place


@pytest.mark.parametrize(
    "wrong",
    [
        "cache:6379",
        "http://me:hunter2@cache",
        "redis://",
        "redis://me:hunter2@:6379",
        "redis://:hunter2@cache:port",
        "redis://:hunter2@cache/name",
        "redis://:hunter2@cache#hunter2",
        "rediss://:hunter2@cache?ssl_cert_reqs=none",
        "redis://:hunter2@cache?db=hunter2",
    ],
)
def test_a_wrong_url_of_a_shared_server_is_not_quoted(wrong: str) -> None:
    """It may hold a password."""
    with pytest.raises(ValueError, match="URL") as caught:
        redis_url(wrong)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "wrong",
    [
        "postgresql://u:pa%ss@h/db",
        "postgresql://u:p@h/db?password=hush%zz",
        "postgresql://u:p@ss@h/db",
        "postgresql://u:12#secret@h/db",
        "postgresql://u:12/secret@h/db",
        "postgresql://u:12?secret@h/db",
        "postgresql://u:se/cret@h/db",
        "postgresql://u:p@h/db?secret",
        "mysql://u:secret@h/db",
    ],
)
def test_the_url_of_a_database_is_refused_without_being_told(wrong: str) -> None:
    """Whatever of a password is not encoded stays unsaid."""
    with pytest.raises(ValueError, match=r"name=value|%25 for %") as refused:
        postgres_url(wrong)
    assert not any(part in str(refused.value) for part in ("pa%ss", "hush", "ss@h", "12", "secret", "cret"))


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:p%40%25@h:5432/db?sslmode=verify-full&options=-c%20work_mem%3D8MB",
        "postgres://h/db",
        "postgresql:///db?host=/run/postgresql",
    ],
)
def test_the_url_of_a_database_stays_as_it_is(url: str) -> None:
    """Libpq's parameters included."""
    assert postgres_url(url) == url
