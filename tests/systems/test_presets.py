"""How presets are read: names, regions, limits, and which model is asked for where."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from edgeclient import SettingsError
from edgeclient.routing import presets
from edgeclient.routing.systems import Bound
from edgeclient.values import Call


def product(text: str) -> Bound:
    (endpoint,) = presets.expand(text)
    found: Bound = endpoint["product"]
    return found


@pytest.mark.parametrize(
    ("preset", "model", "there"),
    [
        ("vercel:", "gpt-4o", "openai/gpt-4o"),
        ("vercel:", "claude-haiku-4-5-20251001", "anthropic/claude-haiku-4.5"),
        ("vercel:", "claude-3-5-haiku-20241022", "anthropic/claude-3.5-haiku"),
        ("vercel:", "claude-opus-4-8", "anthropic/claude-opus-4.8"),
        ("vercel:", "xai/grok-5", "xai/grok-5"),
        ("vercel:", "@cf/meta/llama-3.3-70b-instruct-fp8-fast", "meta/llama-3.3-70b"),
        ("vercel:", "mistralai/Mistral-Small-3.1-24B-Instruct-2503", None),  # sold there in another revision only
        ("vercel:", "nobodys-model", None),
        ("prism:", "claude-sonnet-5", "claude-sonnet-5"),
        ("prism:", "llama-3.3-70b-instruct", None),
        ("fastly:", "gpt-4o", "gpt-4o"),
        ("fastly:", "claude-sonnet-5", None),
        ("fastly:?llm=api.groq.com/openai/v1", "llama-3.3-70b-versatile", "llama-3.3-70b-versatile"),
        ("lambda-edge:d111", "anything", "anything"),
    ],
)
def test_what_a_model_is_called_there(preset: str, model: str, there: str | None) -> None:
    assert product(preset).name_there(model, "openai") == there


@pytest.mark.parametrize(
    ("preset", "largest"),
    [("lambda-edge:d111", 1_000_000), ("lambda-edge:d111?largest=40000", 40_000), ("vercel:", None)],
)
def test_how_large_a_request_may_be(preset: str, largest: int | None) -> None:
    def refused(size: int) -> bool:
        call = Call("openai", "POST", "", "/chat/completions", size=size)
        return "bytes at the most" in (product(preset).cannot(call) or "")

    assert not refused(largest or 10**9) and refused((largest or 0) + 1) == (largest is not None)


def test_each_region_is_an_endpoint() -> None:
    bom, sin = presets.expand("fly:my-app?regions=bom,sin")
    assert [e["name"] for e in (bom, sin)] == ["fly-my-app-bom", "fly-my-app-sin"]
    assert (bom["region"], bom["headers"]) == ("bom", {"fly-prefer-region": "bom"})
    assert bom["url"] == sin["url"] == "https://my-app.fly.dev/v1"
    own = presets.expand(
        {"system": "fly", "app": "a", "regions": "bom,sin", "pin": "on", "name": "mine", "region": "IN"}
    )
    assert [(e["name"], e["region"]) for e in own] == [("mine-bom", "IN"), ("mine-sin", "IN")]
    assert own[1]["headers"] == {"fly-force-region": "sin"}
    assert presets.expand("fly:my-app")[0]["headers"] == {}


@pytest.mark.parametrize("said", ["much", "-1", ""])
def test_a_limit_is_a_number(said: str) -> None:
    with pytest.raises(SettingsError, match="lambda-edge: largest is"):
        presets.expand({"system": "lambda-edge", "distribution": "d111", "largest": said})


def test_the_digest_is_of_the_body_and_only_where_it_is_asked_for() -> None:
    without, sealed = product("lambda-edge:d111"), product("lambda-edge:d111?oac=on")
    assert not without.seals and without.seal("POST", "", {}, b"{}") == {} == sealed.seal("POST", "", {}, b"")
    assert sealed.seal("POST", "", {}, b"{}") == {"x-amz-content-sha256": hashlib.sha256(b"{}").hexdigest()}
    assert (
        product("lambda-edge:d111").key_header("openai") == ""
        and product("lambda-edge:d111?oac=on").key_header("openai") == "x-api-key"
    )


@pytest.mark.parametrize(
    ("said", "key"),
    [("vercel:", "env:AI_GATEWAY_API_KEY"), ("vercel:?auth=oidc", "env:VERCEL_OIDC_TOKEN"), ("fastly:?llm=a/v1", None)],
)
def test_whose_key_is_used(said: Any, key: str | None) -> None:
    assert presets.expand(said)[0].get("key") == key
