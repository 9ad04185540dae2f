"""What is told of settings."""

from __future__ import annotations

import json
from dataclasses import asdict

from pydantic import SecretStr
from pydantic_settings import BaseSettings, InitSettingsSource

from memory_common.described import describe


class _Secretive(BaseSettings):
    token: SecretStr = SecretStr("")


def test_a_secret_is_masked() -> None:
    """Wherever the value is shown, the secret is not; where it comes from is told."""
    given = {"token": "hunter2"}
    told = describe(_Secretive(token=SecretStr("hunter2")), {"file": InitSettingsSource(_Secretive, init_kwargs=given)})
    shown = json.dumps([asdict(each) for each in told])
    assert "hunter2" not in shown
    assert (told[0].name, told[0].value, told[0].origin) == ("TOKEN", "**********", "file")
