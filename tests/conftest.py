"""What holds for all tests."""

from __future__ import annotations

from hypothesis import settings

from tests.services.postgres import postgres  # noqa: F401 - a fixture: one server for all tests that ask one

# How long an example takes is the machine's affair: the tests share it with each other, and with whatever else runs.
settings.register_profile("tests", settings(), deadline=None)
settings.load_profile("tests")
