"""The tokens of an identity provider: which are accepted, whatever they say of themselves, and what they grant."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import httpx2
import pytest
from joserfc.errors import SecurityWarning
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from memory_mcp.domain.errors import ForbiddenError, SettingsError
from memory_mcp.domain.models import Finding
from memory_mcp.domain.principal import Reach, Scope
from memory_mcp.health.registry import Registry
from memory_mcp.http_settings import Grant
from memory_mcp.oidc.grants import granted
from memory_mcp.oidc.identities import SKEW_S, OidcIdentities, TokenRules
from memory_mcp.oidc.keys import AGAIN_S, FRESH_S, OLDEST_S, ProviderKeys, register
from memory_mcp.settings import load
from tests.fakes.clock import FakeClock
from tests.fakes.issuer import AUDIENCE, ISSUER, FakeIssuer, signed, signed_with_public_key, unsigned

READ, WRITE, ADMIN = Scope.READ, Scope.WRITE, Scope.ADMIN
OWN = Grant(claim="sub", value="*", scopes=(READ, WRITE), namespaces=("person-{sub}",))
TEAM = Grant(claim="groups", value="team-a", scopes=(READ, WRITE), namespaces=("team-a",))
ALL_HANDS = Grant(claim="scope", value="memory.read", scopes=(READ,), namespaces=("all-hands",))
EVERYTHING = Grant(claim="realm_access.roles", value="operator", scopes=(ADMIN,), namespaces=("*",))
GRANTS = (OWN, TEAM, ALL_HANDS, EVERYTHING)


@pytest.fixture
def issuer() -> FakeIssuer:
    """Give a provider."""
    return FakeIssuer()


@pytest.fixture
def clock() -> FakeClock:
    """Give the clock of what is fetched again."""
    return FakeClock()


@pytest.fixture
def identities(issuer: FakeIssuer, clock: FakeClock) -> OidcIdentities:
    """Give what checks its tokens."""
    return checking(issuer, clock)


def checking(issuer: FakeIssuer, clock: Callable[[], float], *algorithms: str) -> OidcIdentities:
    """Return what checks a provider's tokens."""
    rules = TokenRules(ISSUER, AUDIENCE, algorithms or ("RS256", "ES256"), GRANTS, "default")
    return OidcIdentities(rules, ProviderKeys(issuer.issuer, clock, issuer.transport))


async def test_a_good_token_says_who_calls(issuer: FakeIssuer, identities: OidcIdentities) -> None:
    """The id is the same for each of a person's tokens, and another for another person."""
    claims = issuer.claims(preferred_username="ann@example.org\n", groups=["team-a", "team-b"])
    found = await identities.identify(issuer.token(claims))
    assert found is not None
    assert (found.principal.name, found.principal.issuer) == ("ann@example.org?", ISSUER)
    assert found.principal.scopes == {READ, WRITE}
    assert found.principal.reach == Reach.bound_to("person-ann", "team-a")
    assert found.expires_at is not None
    assert found.expires_at.timestamp() - SKEW_S == claims["exp"]
    again = await identities.identify(issuer.token(issuer.claims(aud=["other", AUDIENCE]), {"typ": "at+jwt"}))
    other = await identities.identify(issuer.token(issuer.claims(sub="bob")))
    assert again is not None
    assert other is not None
    assert found.principal.id == again.principal.id != other.principal.id


NOW: Final = int(time.time())
WRONG: dict[str, object] = {
    "expired": {"exp": NOW - 60},
    "endless": {"exp": None},
    "ending in words": {"exp": "tomorrow"},
    "ending at True": {"exp": True},
    "not yet": {"nbf": NOW + 3_600},
    "made later": {"iat": NOW + 3_600},
    "another audience": {"aud": "https://other.example.org"},
    "an audience that begins alike": {"aud": f"{AUDIENCE}/more"},
    "no audience": {"aud": None},
    "another issuer": {"iss": "https://id.example.com"},
    "no issuer": {"iss": None},
    "nobody": {"sub": None},
    "an empty name": {"sub": ""},
    "a number for a name": {"sub": 7},
    "a long name": {"sub": "a" * 256},
    "a sign-in": {"typ": "ID"},
}


@pytest.mark.parametrize("what", WRONG)
async def test_a_token_that_is_not_for_us_now_is_refused(
    issuer: FakeIssuer, identities: OidcIdentities, what: str
) -> None:
    """Though the provider has signed it."""
    changed = WRONG[what]
    assert isinstance(changed, dict)
    assert await identities.identify(issuer.token(issuer.claims(**changed))) is None
    assert await identities.identify(issuer.token()) is not None


async def test_clocks_may_differ_a_little(issuer: FakeIssuer, identities: OidcIdentities) -> None:
    """By half a minute, in both directions."""
    now = time.time()
    assert await identities.identify(issuer.token(issuer.claims(exp=now - 20))) is not None
    assert await identities.identify(issuer.token(issuer.claims(nbf=now + 20, iat=now + 20))) is not None


async def test_forged_tokens_are_refused(issuer: FakeIssuer, identities: OidcIdentities) -> None:
    """No signature, another's, one made with the public key as a secret, and keys that a token brings along."""
    claims, mine = issuer.claims(), RSAKey.generate_key(2048)
    public = issuer.keys["first"]
    good = issuer.token()
    forged = {
        "alg none": unsigned(claims, "first"),
        "key confusion": signed_with_public_key(claims, public, "first"),
        "another key": signed(claims, mine, {"alg": "RS256", "kid": "first"}),
        "an embedded key": signed(claims, mine, {"alg": "RS256", "jwk": mine.as_dict(private=False)}),
        "an embedded key by its id": signed(
            claims, mine, {"alg": "RS256", "kid": "first", "jwk": mine.as_dict(private=False)}
        ),
        "an address of keys": signed(claims, mine, {"alg": "RS256", "kid": "x", "jku": "https://evil.example/keys"}),
        "an address of certificates": signed(
            claims, mine, {"alg": "RS256", "kid": "first", "x5u": "https://evil.example/x"}
        ),
        "an algorithm that is not ours": issuer.token(claims, {"alg": "RS512"}),
        "changed claims": spliced(good, issuer.token({**claims, "sub": "eve"})),
        "no signature": good.rpartition(".")[0] + ".",
        "cut": good[:-3],
        "an ID's kind": issuer.token(claims, {"typ": "logout+jwt"}),
        "four parts": f"{good}.a",
        "too long": "eyJ" + "a" * 40_000 + ".a.a",
        "no JSON": "eyJ.a.a",
        "not ASCII": "eyJé.a.a",
        "deep": "eyJ" + "W" * 20_000 + ".a.a",
    }
    for what, token in forged.items():
        assert await identities.identify(token) is None, what
    assert await identities.identify(good) is not None
    assert set(issuer.asked) == {"/.well-known/openid-configuration", "/keys"}


def spliced(good: str, other: str) -> str:
    """Return a token with the claims of another."""
    header, _, signature = good.split(".")
    return f"{header}.{other.split('.')[1]}.{signature}"


async def test_keys_rotate(issuer: FakeIssuer, identities: OidcIdentities, clock: FakeClock) -> None:
    """A new key is fetched when a token names it, at most once a minute; the old one is then no longer good."""
    old = issuer.token()
    assert await identities.identify(old) is not None
    issuer.rotate()
    assert await identities.identify(issuer.token()) is None
    clock.advance(AGAIN_S)
    assert await identities.identify(issuer.token()) is not None
    assert await identities.identify(old) is None
    asked = len(issuer.asked)
    for number in range(20):
        assert await identities.identify(issuer.token(header={"kid": f"unknown-{number}"})) is None
    assert len(issuer.asked) == asked


async def test_a_withdrawn_key_is_refused_after_a_quiet_night(
    issuer: FakeIssuer, identities: OidcIdentities, clock: FakeClock
) -> None:
    """Keys that are old are fetched before anything is checked by them."""
    old = issuer.token()
    assert await identities.identify(old) is not None
    issuer.rotate()
    clock.advance(OLDEST_S - 1)
    assert await identities.identify(old) is None


async def test_what_a_header_says_of_keys_is_ignored(issuer: FakeIssuer, identities: OidcIdentities) -> None:
    """A good token may name its key and carry certificates, as some providers have it."""
    named = {"jwk": issuer.keys["first"].as_dict(private=False), "jku": "https://evil.example", "x5c": ["A" * 2_000]}
    assert await identities.identify(issuer.token(header=named)) is not None


async def test_keys_that_are_not_one_are_none(issuer: FakeIssuer, clock: FakeClock) -> None:
    """One for key agreement checks no signature, and of two keys without an id neither is the one that is meant."""
    agreement = OKPKey.generate_key("X25519").as_dict(private=False)
    issuer.more_keys = [{**agreement, "kid": "agreement"}]
    assert await ProviderKeys(ISSUER, clock, issuer.transport).find("agreement") is None
    nameless = [RSAKey.generate_key(2048).as_dict(private=False) for _ in range(2)]
    keys = [{name: value for name, value in key.items() if name != "kid"} for key in nameless]
    issuer.answers["/keys"] = httpx2.Response(200, json={"keys": keys})
    with pytest.raises(SettingsError, match="no public key"):
        await ProviderKeys(ISSUER, clock, issuer.transport).find(None)


async def test_keys_outlive_an_outage_for_a_day(
    issuer: FakeIssuer, identities: OidcIdentities, clock: FakeClock
) -> None:
    """Then nobody is let in until the provider is back, and the error says what is wrong."""
    assert await identities.identify(issuer.token()) is not None
    issuer.answers["/keys"] = httpx2.Response(500)
    clock.advance(FRESH_S)
    assert await identities.identify(issuer.token()) is not None
    clock.advance(OLDEST_S)
    with pytest.raises(SettingsError, match=r"id.example.org/keys answers 500; .*MCP_MEMORY_OIDC_ISSUER"):
        await identities.identify(issuer.token())
    del issuer.answers["/keys"]
    with pytest.raises(SettingsError):
        await identities.identify(issuer.token())
    clock.advance(AGAIN_S)
    assert await identities.identify(issuer.token()) is not None


DISCOVERY = "/.well-known/openid-configuration"
BROKEN: dict[str, tuple[str, httpx2.Response, str]] = {
    "redirect": (DISCOVERY, httpx2.Response(302, headers={"location": "https://evil.example"}), "answers 302"),
    "other issuer": (
        DISCOVERY,
        httpx2.Response(200, json={"issuer": "https://evil", "jwks_uri": "https://x/k"}),
        "itself",
    ),
    "plain keys": (DISCOVERY, httpx2.Response(200, json={"issuer": ISSUER, "jwks_uri": "http://x/k"}), "not https"),
    "local keys": (DISCOVERY, httpx2.Response(200, json={"issuer": ISSUER, "jwks_uri": "http://[::1]/k"}), "not https"),
    "a file": (DISCOVERY, httpx2.Response(200, json={"issuer": ISSUER, "jwks_uri": "file:///etc/passwd"}), "not https"),
    "no JSON": (DISCOVERY, httpx2.Response(200, text="<html>"), "ValidationError"),
    "long": ("/keys", httpx2.Response(200, content=b" " * 600_000), "more than"),
    "many": ("/keys", httpx2.Response(200, json={"keys": [{}] * 101}), "ValidationError"),
    "none": ("/keys", httpx2.Response(200, json={"keys": []}), "no public key"),
}


@pytest.mark.parametrize("what", BROKEN)
async def test_a_provider_that_answers_wrongly_lets_nobody_in(
    issuer: FakeIssuer, identities: OidcIdentities, what: str
) -> None:
    """The error says what is wrong with it."""
    path, answer, said = BROKEN[what]
    issuer.answers[path] = answer
    with pytest.raises(SettingsError, match=said):
        await identities.identify(issuer.token())


async def test_doctor_asks_the_provider(issuer: FakeIssuer, clock: FakeClock) -> None:
    """It says that it answers, or what is wrong and what fixes it."""

    async def told() -> Finding:
        registry = Registry()
        register(registry, ProviderKeys(ISSUER, clock, issuer.transport))
        return (await registry.machine(20)).parts["provider"]

    assert (await told()).state == "reachable"
    issuer.answers["/keys"] = httpx2.Response(500)
    finding = await told()
    assert (finding.state, "answers 500" in finding.cause) == ("unusable", True)
    assert "MCP_MEMORY_OIDC_ISSUER" in finding.fix


async def test_only_public_keys_for_signatures_count(issuer: FakeIssuer, clock: FakeClock) -> None:
    """Secrets, keys for encryption and short ones do not, though they stand in the document; curves do."""
    secret, curve = OctKey.generate_key(256), ECKey.generate_key("P-256")
    with pytest.warns(SecurityWarning):
        short = RSAKey.generate_key(1024)
    issuer.more_keys = [
        {**secret.as_dict(private=True), "kid": "secret"},
        {**issuer.keys["first"].as_dict(private=False), "kid": "encryption", "use": "enc"},
        {**short.as_dict(private=False), "kid": "short"},
        {**curve.as_dict(private=False), "kid": "curve"},
        {"kty": "RSA", "kid": "broken"},
        {"kty": ["RSA"], "kid": "odd"},
    ]
    identities = checking(issuer, clock)
    claims = issuer.claims()
    assert await identities.identify(signed(claims, curve, {"alg": "ES256", "kid": "curve"})) is not None
    for key, alg, kid in (
        (secret, "HS256", "secret"),
        (issuer.keys["first"], "RS256", "encryption"),
        (curve, "ES256", "first"),
    ):
        assert await identities.identify(signed(claims, key, {"alg": alg, "kid": kid})) is None, kid
    assert await identities.identify(signed(claims, short, {"alg": "RS256", "kid": "short"})) is None
    assert await identities.identify(signed(claims, curve, {"alg": "ES256"})) is None  # which key is not clear


@pytest.mark.parametrize("claims", [{"groups": ["team-b"]}, {"groups": "team-ab"}, {"scope": "memory.reader"}, {}])
def test_a_claim_without_a_mapping_grants_nothing(claims: dict[str, object]) -> None:
    """Nor does a part of a word."""
    assert granted(claims, (TEAM, ALL_HANDS, EVERYTHING), "default") is None


async def test_who_is_granted_nothing_is_told_so(issuer: FakeIssuer, clock: FakeClock) -> None:
    """The token is valid; it is no wrong one."""
    rules = TokenRules(ISSUER, AUDIENCE, ("RS256",), (TEAM,), "default")
    identities = OidcIdentities(rules, ProviderKeys(ISSUER, clock, issuer.transport))
    with pytest.raises(ForbiddenError, match="no claim of this token grants anything here"):
        await identities.identify(issuer.token())


def test_scopes_hold_where_they_were_granted() -> None:
    """Who writes its own and reads everybody's writes its own alone."""
    claims = {"sub": "ann", "scope": "openid memory.read", "groups": ["x"]}
    found = granted(claims, GRANTS, "default")
    assert found == (
        frozenset({READ, WRITE}),
        Reach("person-ann", only=("person-ann", "all-hands"), writable=("person-ann",)),
    )
    assert granted({"scope": "memory.read"}, GRANTS, "default") == (
        frozenset({READ}),
        Reach("all-hands", only=("all-hands",), writable=()),
    )


def test_a_star_is_all_namespaces() -> None:
    """With a role in an object, as Keycloak has it; to read all is not to change all."""
    operator = granted({"realm_access": {"roles": ["operator"]}}, GRANTS, "home")
    assert operator == (frozenset({ADMIN}), Reach("home"))
    auditor = Grant(claim="roles", value="auditor", scopes=(READ,), namespaces=("*",))
    boss = Grant(claim="roles", value="boss", scopes=(ADMIN,), namespaces=("team-a",))
    found = granted({"roles": ["auditor", "boss"]}, (auditor, boss), "home")
    assert found is not None
    scopes, reach = found
    assert reach == Reach("team-a", writable=("team-a",))
    assert not reach.is_everything
    assert scopes == {READ, ADMIN}


@pytest.mark.parametrize("value", ["a b", "ann\n", "", "é", "x" * 129, "{sub}", 7, None, ["ann"]])
def test_a_claim_that_does_not_fit_makes_no_namespace(value: object) -> None:
    """Spaces, other letters, what is too long, what is no text."""
    assert granted({"sub": value}, (OWN,), "default") is None


def setting(**changed: object) -> None:
    """Load settings with one grant."""
    grant = {"claim": "sub", "value": "*", "scopes": ["read"], "namespaces": ["person-{sub}"], **changed}
    load(oidc_issuer=ISSUER, oidc_grants=[grant])


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"namespaces": ["{sub}"]}, "something must stand before"),
        ({"namespaces": ["p-{sub}-x"]}, "at the end"),
        ({"namespaces": ["p-{sub}", "p-team"]}, "could make 'p-team'"),
        ({"namespaces": ["p-{sub}", "p-x-{email}"]}, "could make"),
        ({"namespaces": ["*", "x"]}, "leave the others out"),
        ({"namespaces": []}, "at least 1"),
        ({"scopes": ["write"]}, "add 'read'"),
        ({"scopes": []}, "at least 1"),
        ({"scopes": ["owner"]}, "'read', 'write' or 'admin'"),
        ({"rights": "all"}, "rights is not a setting"),
    ],
)
def test_a_mapping_that_opens_too_much_is_refused(changed: dict[str, object], said: str) -> None:
    """When the settings are read."""
    setting()
    with pytest.raises(SettingsError, match=said):
        setting(**changed)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"oidc_issuer": "http://id.example.org"}, "https alone"),
        ({"oidc_issuer": ISSUER, "oidc_grants": []}, "nobody may do anything"),
        ({"oidc_algorithms": "HS256"}, "not accepted"),
        ({"oidc_algorithms": "none"}, "not accepted"),
        ({"oidc_algorithms": ""}, "at least one"),
    ],
)
def test_settings_that_let_others_in_are_refused(given: dict[str, object], said: str) -> None:
    """A provider without TLS, secrets that two know, no rules."""
    with pytest.raises(SettingsError, match=said):
        load(**{"oidc_grants": [OWN.model_dump()], **given})
