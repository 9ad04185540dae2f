"""The frame around the views."""

from __future__ import annotations

from tests.web.conftest import SignIn


def test_signing_in_leaves_a_clean_address(sign_in: SignIn) -> None:
    """The code is exchanged at once, and nothing of it stays in the address bar or the history."""
    tab = sign_in()
    assert tab.path == "/"
    tab.shot("frame-light")
    assert tab.errors == []
