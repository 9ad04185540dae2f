"""Several callers of one server, whatever they do and in whatever order, against a model of who sees what."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, multiple, rule, run_state_machine_as_test

from tests.e2e.client import Json, ToolError
from tests.e2e.web import WebClient, WebFront

WHO = st.sampled_from(["a", "b", "everyone"])
WORDS = st.sampled_from(["wine", "wine and bread", "bread", "cheese"])
TAGS = st.lists(st.sampled_from(["red", "blue"]), unique=True)
IDS = st.sampled_from(["x", "y", "z"])


@dataclass
class PostingCache:
    """A memory of the model."""

    key: int
    namespace: str
    id: str
    content: str
    created_at: str
    tags: set[str] = field(default_factory=set)
    alive: bool = True


class Tenants(RuleBasedStateMachine):
    """`a` and `b` are bound to namespaces of their own; `everyone` reaches both."""

    front: WebFront
    numbers = itertools.count()
    cursors: Bundle[str] = Bundle("cursors")

    @initialize()
    def come(self) -> None:
        """Begin with new callers and new namespaces."""
        self.round = next(self.numbers)
        self.kept: list[PostingCache] = []
        self.told: dict[tuple[str, str], str] = {}
        names = {"a": self.space("a"), "b": self.space("b"), "everyone": None}
        self.clients = {who: self.front.client(f"{who}{self.round}", of) for who, of in names.items()}

    def teardown(self) -> None:
        """Go, and revoke the tokens."""
        for who, client in getattr(self, "clients", {}).items():
            client.http.close()
            self.front.tokens.revoke(f"{who}{self.round}")

    def space(self, who: str) -> str:
        """Return the namespace of a caller."""
        return f"{who}-{self.round}"

    def seen(self, who: str, of: str) -> tuple[WebClient, Json, list[PostingCache]]:
        """Return the client, the argument that names the namespace, and the memories of it, newest first."""
        namespace = self.space(of if who == "everyone" else who)
        memories = [it for it in reversed(self.kept) if it.alive and it.namespace == namespace]
        return self.clients[who], {"namespace": namespace} if who == "everyone" else {}, memories

    def found(self, who: str, memory_id: str) -> PostingCache | None:
        """Return the memory that an id means to a caller."""
        within = {self.space(who)} if who != "everyone" else {self.space("a"), self.space("b")}
        fits = (it for it in self.kept if it.alive and it.id == self.named(memory_id) and it.namespace in within)
        return min(fits, key=lambda it: it.key, default=None)

    def named(self, memory_id: str) -> str:
        """Return an id of this round: `everyone` would see those of others."""
        return f"{memory_id}-{self.round}"

    @rule(who=WHO, of=st.sampled_from("ab"), content=WORDS, tags=TAGS, memory_id=IDS)
    def store(self, who: str, of: str, content: str, tags: list[str], memory_id: str) -> None:
        """Conflicts and duplicates are those of one's own namespace."""
        client, naming, _ = self.seen(who, of)
        namespace, own_id = self.space(of if who == "everyone" else who), self.named(memory_id)
        mine = [it for it in self.kept if it.namespace == namespace]
        owner = next((it for it in mine if it.id == own_id), None)
        moment = f"2020-01-01T00:00:{len(mine) // 2:02}Z"  # alike in all namespaces, and two memories have the same
        moment = owner.created_at if owner else moment
        arguments = {"content": content, "tags": tags, "id": own_id, "created_at": moment, **naming}
        if owner is not None and (not owner.alive or owner.content != content):
            assert said(client.tool, "memory_store", **arguments).startswith(f"id: {own_id!r} ")
            return
        stored = client.tool("memory_store", **arguments)
        assert (stored["created"], stored["id"]) == (owner is None, own_id)
        if owner is None:
            owner = PostingCache(len(self.kept), namespace, own_id, content, moment)
            self.kept.append(owner)
        owner.tags |= set(tags)

    @rule(who=WHO, memory_id=IDS)
    def get(self, who: str, memory_id: str) -> None:
        """One reads what is within reach."""
        kept = self.found(who, memory_id)
        if kept is None:
            assert "no memory" in said(self.clients[who].tool, "memory_get", id=self.named(memory_id))
            return
        got = self.clients[who].tool("memory_get", id=kept.id, history=True)
        assert (got["content"], set(got["tags"])) == (kept.content, kept.tags)

    @rule(who=WHO, memory_id=IDS, tags=TAGS)
    def update(self, who: str, memory_id: str, tags: list[str]) -> None:
        """One changes what is within reach."""
        kept, arguments = self.found(who, memory_id), {"id": self.named(memory_id), "tags": tags}
        if kept is None:
            assert "no memory" in said(self.clients[who].tool, "memory_update", **arguments)
            return
        assert self.clients[who].tool("memory_update", **arguments)["id"] == kept.id
        kept.tags = set(tags)

    @rule(who=WHO, memory_id=IDS, dry_run=st.booleans())
    def delete(self, who: str, memory_id: str, dry_run: bool) -> None:  # noqa: FBT001 - hypothesis names it
        """One deletes what is within reach."""
        kept, arguments = self.found(who, memory_id), {"id": self.named(memory_id), "dry_run": dry_run}
        if kept is None:
            assert "no memory" in said(self.clients[who].tool, "memory_delete", **arguments)
            return
        assert self.clients[who].tool("memory_delete", **arguments)["ids"] == [kept.id]
        kept.alive = dry_run

    @rule(who=WHO, of=st.sampled_from("ab"), tag=st.sampled_from(["red", "blue"]))
    def delete_all(self, who: str, of: str, tag: str) -> None:
        """Delete what fits in the namespace, and no more."""
        client, naming, memories = self.seen(who, of)
        to_delete = [it for it in memories if tag in it.tags]
        assert sorted(client.tool("memory_delete", tags=[tag], **naming)["ids"]) == sorted(it.id for it in to_delete)
        for kept in to_delete:
            kept.alive = False

    @rule(target=cursors, who=WHO, of=st.sampled_from("ab"))
    def page(self, who: str, of: str) -> Any:
        """Pages hold one's own, in order, and count them; a cursor depends on the last memory shown, and no other."""
        client, naming, memories = self.seen(who, of)
        given: list[str] = []
        for kept in memories:
            page = client.tool("memory_list", limit=1, **naming, **({"cursor": given[-1]} if given else {}))
            [last] = page["memories"]
            assert (last["id"], page["total"]) == (kept.id, len(memories))
            assert (page["next_cursor"] is None) is (kept is memories[-1])
            if page["next_cursor"] is not None:
                given.append(page["next_cursor"])
                assert self.told.setdefault((last["created_at"], last["id"]), given[-1]) == given[-1]
        return multiple(*given)

    @rule(who=WHO, of=st.sampled_from("ab"), cursor=cursors)
    def borrow(self, who: str, of: str, cursor: str) -> None:
        """Another's cursor leads on among one's own."""
        client, naming, memories = self.seen(who, of)
        page = client.tool("memory_list", cursor=cursor, **naming)
        ids = [it.id for it in memories]
        got = [it["id"] for it in page["memories"]]
        assert (page["total"], got) == (len(ids), ids[len(ids) - len(got) :])

    @rule(who=WHO, of=st.sampled_from("ab"), word=st.sampled_from(["wine", "bread"]))
    def search(self, who: str, of: str, word: str) -> None:
        """Words find one's own."""
        client, naming, memories = self.seen(who, of)
        hits = client.tool("memory_search", query=word, mode="keyword", limit=100, **naming)["results"]
        assert {it["id"] for it in hits} == {it.id for it in memories if word in it.content.split()}

    @rule(who=st.sampled_from(["a", "b"]))
    def look(self, who: str) -> None:
        """Resources, completions and prompts show one's own."""
        client, _, memories = self.seen(who, who)
        tags = sorted(set[str]().union(*(it.tags for it in memories)))
        stats = client.read("memory://stats")
        assert (stats["memories"], sorted(stats["tags"])) == (len(memories), tags)
        assert [it["id"] for it in client.read("memory://recent/100")["memories"]] == [it.id for it in memories]
        assert client.complete("tag", "") == tags
        assert client.complete("namespace", "") == [self.space(who)]


def said(call: Callable[..., Any], name: str, **arguments: object) -> str:
    """Return the sentence that a call is refused with."""
    try:
        result = call(name, **arguments)
    except ToolError as error:
        return str(error)
    raise AssertionError(result)


@pytest.mark.parametrize("stories", [6, pytest.param(60, marks=pytest.mark.slow)])
def test_callers_are_kept_apart(serve: Callable[..., WebFront], stories: int) -> None:
    """Stories of at most thirty steps: every answer is the model's."""
    Tenants.front = serve(MCP_MEMORY_RATE_LIMIT_ENABLED="false")
    run_state_machine_as_test(
        Tenants,
        settings=settings(
            max_examples=stories,
            stateful_step_count=30,
            suppress_health_check=list(HealthCheck),
        ),
    )
