"""Keys made from AWS credentials: those that AWS's own generators make, and when a new one is made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edgeclient.aws_tokens import Credentials, Token, sign
from edgeclient.errors import SettingsError

_SAID = json.loads(Path(__file__).with_name("aws_tokens.json").read_text("utf-8"))  # made by the published generators


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    return monkeypatch


@pytest.mark.parametrize("case", _SAID["cases"], ids=lambda c: f"{c['service']}-{c['region']}")
def test_a_key_is_that_of_the_published_generator(case: dict[str, Any]) -> None:
    credentials = Credentials(_SAID["access_key"], _SAID["secret_key"], case["session"])
    assert sign(credentials, case["service"], case["region"], case["now"], case["life_s"]) == case["token"]


def test_a_new_key_is_made_at_four_fifths_of_the_life_of_the_old_one(credentials: pytest.MonkeyPatch) -> None:
    now = 1_795_600_000.0
    token = Token("sagemaker", "eu-central-1", life_s=1000, clock=lambda: now)
    first = token()
    now += 799
    assert token() == first
    now += 2
    assert token() != first


def test_new_credentials_and_a_clock_set_back_make_a_new_key(credentials: pytest.MonkeyPatch) -> None:
    now = 1_795_600_000.0
    token = Token("bedrock", "eu-central-1", clock=lambda: now)
    first = token()
    credentials.setenv("AWS_SESSION_TOKEN", "another")
    second = token()
    now -= 60
    assert len({first, second, token()}) == 3


def test_a_ready_key_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "ready")
    assert Token("bedrock", "eu-central-1", instead="AWS_BEARER_TOKEN_BEDROCK")() == "ready"


def test_missing_credentials_are_said_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    with pytest.raises(SettingsError, match="AWS_SECRET_ACCESS_KEY not set"):
        Token("sagemaker", "eu-central-1")


def test_credentials_are_not_shown() -> None:
    assert "secret" not in repr(Credentials("access", "secret", "session"))
