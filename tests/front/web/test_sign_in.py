"""Signing in, and what holds a session together."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from memory_mcp.domain.principal import Scope
from memory_mcp.server.web.parts import CSRF_HEADER, SECRET_HEADER
from memory_mcp.server.web.session import MOST_SESSIONS
from memory_mcp.server.web.views import VIEWS
from tests.front.web.kit import PORT, READ_WRITE, PageSite, SignedIn

COOKIE = f"memory_mcp_{PORT}"
GUARDED = [
    *(("GET", f"/view{view.path}") for view in VIEWS),
    *(("POST", f"/do/{action.name}") for view in VIEWS for action in view.actions),
    *((stream.method, f"/raw/{stream.name}") for view in VIEWS for stream in view.streams),
    ("GET", "/view/live"),
    ("GET", "/session"),
    ("POST", "/sign-out"),
]
"""All that only a session may ask."""


async def ask_all(http: httpx2.AsyncClient, guarded: list[tuple[str, str]]) -> set[tuple[int, str]]:
    """Ask for everything, and return the answers' statuses and codes."""
    answers = [await http.request(method, path, json={} if method == "POST" else None) for method, path in guarded]
    return {(answer.status_code, answer.json().get("code")) for answer in answers}


async def test_a_link_signs_in_once(site: PageSite) -> None:
    """The first use opens a session; the second says why not."""
    async with site.http() as http:
        code = await site.code(http)
        assert (await http.post("/sign-in", json={"code": code})).status_code == 200
        again = await http.post("/sign-in", json={"code": code})
        assert again.status_code == 403
        assert "already used" in again.json()["error"]


@pytest.mark.parametrize(("seconds", "status"), [(59, 200), (60, 403)])
async def test_a_link_works_for_a_minute(site: PageSite, seconds: float, status: int) -> None:
    """Then it is as good as none."""
    async with site.http() as http:
        code = await site.code(http)
        site.clock.now += seconds
        assert (await http.post("/sign-in", json={"code": code})).status_code == status


async def test_a_link_lies_in_a_private_file(site: PageSite, tmp_path: Path) -> None:
    """The answer itself says nothing; who cannot read the user's files gets no link."""
    async with site.http() as http:
        reply = site.register.new_reply()
        answer = await http.post("/sign-in/link", json={"reply": reply})
        assert answer.content == b""
    [file] = (tmp_path / "page").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert site.register.take(reply) is not None
    assert not file.exists()


async def test_a_link_is_made_for_who_asked_in_the_private_folder(site: PageSite) -> None:
    """Once; whoever else reaches the port has none made, so that those that are made stay good."""
    async with site.http() as http:
        code, reply = await site.code(http), site.register.new_reply()
        answers = [await http.post("/sign-in/link", json={"reply": reply}) for _ in range(2)]
        answers += [await http.post("/sign-in/link", json={"reply": f"{number:032x}"}) for number in range(30)]
        assert [answer.status_code for answer in answers] == [204] + 31 * [403]
        assert (await http.post("/sign-in", json={"code": code})).status_code == 200


@pytest.mark.parametrize("reply", ["", "../../x", "0" * 31, "0" * 33, "G" * 32, f"{'0' * 32}/x", 7, None])
async def test_a_link_goes_to_no_other_file(site: PageSite, tmp_path: Path, reply: object) -> None:
    """A name that is none is refused."""
    async with site.http() as http:
        assert (await http.post("/sign-in/link", json={"reply": reply})).status_code == 400
    assert list(tmp_path.rglob("*.link")) == []


async def test_the_cookie_is_for_this_port_and_no_script(site: PageSite) -> None:
    """HttpOnly, SameSite=Strict, named by the port, for the session alone."""
    async with site.http() as http:
        answer = await http.post("/sign-in", json={"code": await site.code(http)})
    cookie = answer.headers["set-cookie"].lower()
    assert cookie.startswith(f"{COOKIE}=")
    assert {part.strip() for part in cookie.split(";")[1:]} == {"httponly", "samesite=strict", "path=/"}
    assert answer.json()["secret"] not in cookie


async def test_a_cookie_over_tls_is_sent_over_tls_alone(site: PageSite) -> None:
    """Also where a proxy ends TLS, which the browser's origin tells."""
    async with site.http() as http:
        code = await site.code(http)
        answer = await http.post("/sign-in", json={"code": code}, headers={"Origin": "https://memory.example"})
    assert "; secure" in answer.headers["set-cookie"].lower()


async def test_neither_half_of_a_session_opens_anything(site: PageSite) -> None:
    """The cookie alone, the secret alone, halves of two sessions and no session: all are signed out."""
    one, other = await site.sign_in(), await site.sign_in()
    cookie = {COOKIE: str(one.http.cookies[COOKIE])}
    halves: list[tuple[dict[str, str], dict[str, str]]] = [
        ({}, {}),
        (cookie, {}),
        ({}, {SECRET_HEADER: one.facts["secret"]}),
        (cookie, {SECRET_HEADER: other.facts["secret"]}),
        ({f"memory_mcp_{PORT + 1}": cookie[COOKIE]}, {SECRET_HEADER: one.facts["secret"]}),
    ]
    for cookies, headers in halves:
        async with site.http() as http:
            http.cookies.update(cookies)
            http.headers.update(headers)
            assert await ask_all(http, GUARDED) == {(401, "signed_out")}


async def test_no_change_without_its_token(site: PageSite) -> None:
    """A missing CSRF token, and another session's, are refused, whatever is asked for."""
    changes = [(method, path) for method, path in GUARDED if method == "POST"]
    browser, other = await site.sign_in(), await site.sign_in()
    for token in ("", other.facts["csrf"]):
        browser.http.headers[CSRF_HEADER] = token
        assert await ask_all(browser.http, changes) == {(403, "forbidden")}


@pytest.mark.parametrize("site_", ["cross-site", "same-site"])
async def test_other_sites_are_refused(site: PageSite, site_: str) -> None:
    """Another site's page, or another port's, gets nothing, even if it knew all secrets."""
    browser = await site.sign_in()
    browser.http.headers["Sec-Fetch-Site"] = site_
    assert await ask_all(browser.http, [*GUARDED, ("POST", "/sign-in"), ("POST", "/sign-in/link")]) == {
        (403, "forbidden")
    }


async def is_in(browser: SignedIn) -> bool:
    """Say whether a browser is signed in."""
    answer = await browser.http.get("/session")
    assert answer.status_code in {200, 401}
    return answer.status_code == 200


async def test_a_session_that_is_not_used_ends(site: PageSite) -> None:
    """Twelve hours after the last request, not after the first."""
    browser = await site.sign_in()
    for _ in range(3):
        site.clock.now += 11 * 3600
        assert await is_in(browser)
    site.clock.now += 12 * 3600
    assert not await is_in(browser)


async def test_signing_out_ends_the_session(site: PageSite) -> None:
    """On the server, not in the browser alone."""
    browser = await site.sign_in()
    cookies = dict(browser.http.cookies)
    assert (await browser.http.post("/sign-out")).status_code == 204
    browser.http.cookies.update(cookies)
    assert not await is_in(browser)


async def test_a_token_signs_in_for_what_it_may(site: PageSite) -> None:
    """Its scopes and its namespace are the session's; a wrong one says so."""
    reader = await site.sign_in((Scope.READ,), namespace="work")
    assert {name: reader.facts[name] for name in ("scopes", "namespace", "bound")} == {
        "scopes": ["read"],
        "namespace": "work",
        "bound": True,
    }
    async with site.http() as http:
        wrong = await http.post("/sign-in", json={"token": "x" * 43})
        assert (wrong.status_code, wrong.json()["code"]) == (403, "forbidden")
        assert "set-cookie" not in wrong.headers


async def test_a_revoked_token_ends_its_sessions(site: PageSite) -> None:
    """At once; the local user's go on."""
    holder, user = await site.sign_in(READ_WRITE), await site.sign_in()
    site.tokens.revoke(site.tokens.all()[0].name)
    assert [await is_in(browser) for browser in (holder, user)] == [False, True]


async def test_a_session_ends_with_its_token(site: PageSite) -> None:
    """When it expires."""
    until = datetime.fromtimestamp(site.clock.now, UTC) + timedelta(seconds=60)
    secret, _ = site.tokens.create("brief", [Scope.READ], None, until)
    async with site.http() as http:
        facts = (await http.post("/sign-in", json={"token": secret})).json()
        http.headers[SECRET_HEADER] = facts["secret"]
        browser = SignedIn(http, facts)
        assert await is_in(browser)
        site.clock.now += 60
        assert not await is_in(browser)


async def test_views_want_their_scopes(site: PageSite) -> None:
    """Who may only read is refused by views that want more, and who may only write by all."""
    wanted = {view.path: view.scope for view in VIEWS if "{" not in view.path}
    for scope in Scope:
        browser = await site.sign_in((scope,))
        for path, needed in wanted.items():
            status = (await browser.http.get(f"/view{path}")).status_code
            assert (status == 403) == (scope not in {needed, Scope.ADMIN}), (path, scope, status)


@pytest.mark.parametrize(("method", "body"), [("POST", b"{"), ("POST", b"[]"), ("POST", b"\xff"), ("POST", b"{}")])
async def test_signing_in_reads_strictly(site: PageSite, method: str, body: bytes) -> None:
    """What is no object with a code or a token is refused with its reason."""
    async with site.http() as http:
        answer = await http.request(method, "/sign-in", content=body)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_argument")


async def test_every_answer_is_bound_to_this_origin(site: PageSite) -> None:
    """The policy has no exception, nothing is framed or sniffed, and only what is no content is kept."""
    browser = await site.sign_in()
    kept = {}
    for path in ("/", "/memories/1", "/none", "/static/app.js", "/static/none", "/texts.json", "/view/", "/session"):
        answer = await browser.http.get(path, headers={"Accept": "text/html"})
        assert answer.headers["content-security-policy"] == "default-src 'self'"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["referrer-policy"] == "no-referrer"
        kept[path] = answer.headers["cache-control"]
    assert {path for path, caching in kept.items() if caching == "no-store"} == {"/view/", "/session"}


async def test_the_shell_holds_nothing(site: PageSite) -> None:
    """It is the same for everybody, signed in or not, and has no script or style of its own."""
    browser = await site.sign_in()
    async with site.http() as http:
        pages = {(await each.get(view.path)).text for view in VIEWS for each in (http, browser.http)}
    [shell] = pages
    assert "<style" not in shell
    assert " style=" not in shell
    assert "<script>" not in shell


async def test_many_sessions_end_only_ones_own(site: PageSite) -> None:
    """The one that was idle longest, however often others sign in."""
    user, first = await site.sign_in(), await site.sign_in(READ_WRITE)
    secret, _ = site.tokens.create("many", [Scope.READ], "work", None)
    async with site.http() as http:
        halves = []
        for _ in range(MOST_SESSIONS + 1):
            site.clock.now += 1
            facts = (await http.post("/sign-in", json={"token": secret})).raise_for_status().json()
            halves.append({SECRET_HEADER: facts["secret"], "Cookie": f"{COOKIE}={http.cookies[COOKIE]}"})
            http.cookies.clear()
        valid = [(await http.get("/session", headers=half)).status_code for half in halves]
    assert valid == [401] + MOST_SESSIONS * [200]
    assert [await is_in(each) for each in (user, first)] == [True, True]


async def test_failures_are_limited(tmp_path: Path) -> None:
    """More than the limit of writes in a minute are refused until later; who may sign in is not locked out by them."""
    site = PageSite(tmp_path, rate_limit_enabled=True, rate_limit_write=3)
    async with site.http() as http:
        answers: list[Any] = [await http.post("/sign-in", json={"token": "x"}) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [403, 403, 403, 429]
    assert int(answers[-1].headers["retry-after"]) > 0
    await site.sign_in()
    await site.sign_in((Scope.READ,))
