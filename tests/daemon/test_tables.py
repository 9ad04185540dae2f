"""Tables that both sides of the wire hold to."""

from __future__ import annotations

from typing import TypeVar

from embedder_api.v1 import contract, embedder_pb2
from embedder_api.v1.contract import ErrorCode

from embedder_daemon import embedding, errors, service
from embedder_daemon.runtime.lifecycle import DaemonState

Kind = TypeVar("Kind", bound=Exception)


def _kinds(base: type[Kind]) -> list[type[Kind]]:
    return [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, base)]


def test_each_code_has_a_status_of_its_own() -> None:
    """Codes and statuses map to each other both ways, without loss."""
    assert set(contract.STATUS_OF) == set(ErrorCode)
    assert {contract.CODE_OF[contract.STATUS_OF[code]] for code in ErrorCode} == set(ErrorCode)
    assert len(contract.CODE_OF) == len(ErrorCode)


def test_each_code_has_one_error() -> None:
    """The daemon can raise every code, each by one error."""
    codes = [kind.code for kind in _kinds(errors.RequestError)]
    assert sorted(codes) == sorted(ErrorCode)


def test_exit_codes_are_distinct_and_documented() -> None:
    """Every error that ends the process has its own code, and a row in the table."""
    kinds = _kinds(errors.DaemonError)
    assert len({kind.exit_code for kind in kinds}) == len(kinds)
    for kind in kinds:
        assert f"| {kind.exit_code} | {kind.__name__} |" in errors.__doc__


def test_every_value_of_the_wire_is_known() -> None:
    """Each lane, task, state and item error of the proto has its counterpart here."""
    assert set(embedding._LANES) == set(embedder_pb2.Lane.values())
    assert set(embedding._TASKS) == set(embedder_pb2.Task.values())
    assert set(service._STATES) == set(DaemonState)
    assert set(service._STATES.values()) == set(embedder_pb2.State.values()) - {embedder_pb2.STATE_UNSPECIFIED}
    assert set(embedding._SENTENCES) | {contract.ItemError.TOO_LONG} == set(contract.ItemError)
