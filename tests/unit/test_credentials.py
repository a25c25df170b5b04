"""Credentials: a key never goes to a host that it was not given for. On the headers of both HTTP families."""

from __future__ import annotations

from typing import Any

import httpx
import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeclient.http.credentials import CALLERS, replace
from edgeclient.settings import Key

from .answers import cases

KEYS: dict[str | None, Key | None] = {
    "passthrough": Key("passthrough"),
    "own": Key("callable", lambda: "theirs"),
    "empty": Key("env:NOT_SET", lambda: ""),
    "none": Key("none"),
    None: None,
}
SECRET = "sk-live-4711"
# Names in which SDKs, gateways, clouds and companies put credentials. A few more are in test_once_broken.
NAMES = [
    *CALLERS, "x-goog-api-key", "proxy-authorization", "x-authorization", "x-auth-token", "x-access-token", "x-token",
    "cookie", "x-amz-security-token", "x-amz-signature", "x-vault-token", "cf-access-client-secret", "helicone-auth",
    "cf-aig-authorization", "x-portkey-api-key", "x-litellm-api-key", "ocp-apim-subscription-key", "x-functions-key",
    "x-session-id", "x-csrf-token", "x-credential", "x-password", "private-token", "x-secret", "apikey", "x-apikey",
]  # fmt: skip
families = pytest.mark.parametrize("family", [httpx, httpx2], ids=lambda family: family.__name__)


@families
@pytest.mark.parametrize("case", cases("credentials"), ids=lambda case: case["name"])
def test_headers_are_made_fit_for_an_endpoint(case: dict[str, Any], family: Any) -> None:
    headers = family.Headers(case["in"])
    replace(headers, KEYS[case["key"]])
    assert dict(headers) == case["out"]


def _spelt(names: list[str]) -> st.SearchStrategy[str]:
    """A name as somebody may have written it."""
    return st.sampled_from(names).flatmap(lambda name: st.sampled_from([name, name.upper(), name.title()]))


SENT = st.lists(st.tuples(_spelt(NAMES), st.sampled_from(["{}", "Bearer {}", "Basic {}", "a=b; s={}"])), max_size=5)


@families
@pytest.mark.parametrize("key", [None, "none", "own", "empty"])
@given(sent=SENT)
def test_no_secret_of_the_caller_survives(family: Any, key: str | None, sent: list[tuple[str, str]]) -> None:
    headers = family.Headers([(name, form.format(SECRET)) for name, form in sent])
    replace(headers, KEYS[key])
    assert not [value for _, value in headers.multi_items() if SECRET in value]


@families
@given(sent=SENT)
def test_only_the_callers_own_key_passes_through(family: Any, sent: list[tuple[str, str]]) -> None:
    headers = family.Headers([(name, form.format(SECRET)) for name, form in sent])
    expected = [item for item in headers.multi_items() if item[0] in CALLERS]
    replace(headers, KEYS["passthrough"])
    assert [item for item in headers.multi_items() if SECRET in item[1]] == expected


@families
def test_one_key_of_its_own_replaces_all_places(family: Any) -> None:
    headers = family.Headers([(name, SECRET) for name in CALLERS])
    replace(headers, KEYS["own"])
    assert dict(headers) == {"authorization": "Bearer theirs"}
