"""What a caller says about caching, as each system's own cache is told it; and those that have no word for it get none."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest

import edgeclient

from .asking import ask
from .cases import CASES
from .conftest import Running, client_of

pytestmark = pytest.mark.anyio

_HTTP = {
    "no-cache": "cache-control: no-cache",
    "no-store": "cache-control: no-store",
    "max-age=60": "cache-control: max-age=60",
}
# Written out from the vendors' documentation, not read from the table under test.
TOLD: Mapping[str, Mapping[str, str]] = {
    "cloudflare-gateway": dict.fromkeys(_HTTP, "cf-aig-skip-cache: true"),
    "prism": dict.fromkeys(_HTTP, "x-prism-cache: off"),
    "openrouter": {
        "no-cache": "x-openrouter-cache-clear: true",
        "no-store": "x-openrouter-cache: false",
        "max-age=60": "x-openrouter-cache-clear: true",
    },
    "helicone": dict.fromkeys(_HTTP, "helicone-cache-enabled: false"),
    "portkey": dict.fromkeys(_HTTP, "x-portkey-cache-force-refresh: true"),
    "fly": _HTTP,
    "fastly-compute": _HTTP,
    "lambda-edge": _HTTP,
}
IN_BODY: Mapping[str, Mapping[str, Mapping[str, object]]] = {
    "litellm": {
        "no-cache": {"no-cache": True},
        "no-store": {"no-cache": True, "no-store": True},
        "max-age=60": {"s-maxage": 60},
    }
}
_KNOWN = {said.partition(":")[0] for told in TOLD.values() for said in told.values()}


@pytest.mark.parametrize("words", [*_HTTP, "stale-if-error=5", ""])
async def test_a_refresh_is_a_refresh_everywhere(running: Running, words: str) -> None:
    edge = running.edge(cache="exact")
    capability = "messages" if "chat" not in running.system.speaks else "chat"
    said = {"extra_headers": {"Cache-Control": words}} if words else {}
    async with client_of(edge, capability, "sync") as client:
        await ask(client, capability, running.model(capability), **said)
    (heard,) = running.emulator.seen
    told = [f"{name}: {value}" for name, value in heard.headers.items() if name in _KNOWN]
    expected = TOLD.get(running.system.name, {}).get(words)
    if expected is None and running.case.preset.endswith("cache=true"):
        expected = "helicone-cache-enabled: true"  # as the endpoint's own option says
    assert told == ([expected] if expected else [])
    in_body = IN_BODY.get(running.system.name, {}).get(words)
    assert heard.body.get("cache") == in_body


LIVES = {"Edge-Cache-Ttl": "600", "Edge-Cache-Namespace": "tenant a/1"}
# What becomes of the two, and what the notes say is not told; from the vendors' documentation, as above.
LIVES_TOLD: Mapping[str, tuple[Mapping[str, str], tuple[str, ...]]] = {
    "cloudflare-gateway": (
        {"cf-aig-cache-ttl": "600", "cf-aig-cache-key": "tenant%20a%2F1-[0-9a-f]{32}"}, ()),
    "helicone": ({"cache-control": "max-age=600", "helicone-cache-seed": "tenant%20a%2F1"}, ()),
    "portkey": ({"x-portkey-cache-namespace": "tenant%20a%2F1-[0-9a-f]{32}"}, ("ttl",)),
    "openrouter": ({"x-openrouter-cache-ttl": "600"}, ("namespace",)),
    "prism": ({}, ("ttl", "namespace")),
    "fastly": ({}, ("ttl", "namespace")),
    "fly": ({}, ("ttl", "namespace")),
    "fastly-compute": ({}, ("ttl", "namespace")),
    "lambda-edge": ({}, ("ttl", "namespace")),
    "litellm": ({}, ()),
}  # fmt: skip
_LIVES_KNOWN = {name for told, _ in LIVES_TOLD.values() for name in told}


async def heard_of(running: Running, words: Mapping[str, str], **cache: Any) -> tuple[dict[str, str], Any, Any]:
    """The headers about caching that a system got, the `cache` of its body, and the notes of the answer."""
    capability = "messages" if "chat" not in running.system.speaks else "chat"
    edge = running.edge(cache=edgeclient.Cache("exact", **cache))
    async with client_of(edge, capability, "sync") as client:
        answer = await ask(client, capability, running.model(capability), extra_headers=dict(words))
    heard = running.emulator.seen[-1]
    told = {name: value for name, value in heard.headers.items() if name in _LIVES_KNOWN | _KNOWN | {"cache-control"}}
    return told, heard.body.get("cache"), edgeclient.notes(answer)


async def test_how_long_and_where_answers_are_kept_is_said_to_the_cache_behind(running: Running) -> None:
    """Where it has words for it; where not, the notes say so."""
    await check_what_is_told(running, LIVES)


@pytest.mark.parametrize("running", [name for name in CASES if name.partition("?")[0] in LIVES_TOLD], indirect=True)
async def test_so_is_what_the_settings_say(running: Running) -> None:
    await check_what_is_told(running, {}, ttl_s=600.0, namespace="tenant a/1")


async def check_what_is_told(running: Running, words: Mapping[str, str], **settings: Any) -> None:
    told, in_body, notes = await heard_of(running, words, **settings)
    expected, untold = LIVES_TOLD.get(running.system.name, ({}, ()))
    told.pop("helicone-cache-enabled", None)  # as the endpoint's own option says
    assert told.keys() == expected.keys()
    assert all(re.fullmatch(expected[name], value) for name, value in told.items()), told
    assert in_body == ({"ttl": 600, "namespace": "tenant%20a%2F1"} if running.system.name == "litellm" else None)
    assert notes.untold == untold


@pytest.mark.parametrize("running", ["cloudflare-gateway", "openrouter", "helicone"], indirect=True)
@pytest.mark.parametrize(("said", "lives"), [("30", 30), ("59", 59), ("1e9", None), ("999999999", 999999999)])
async def test_a_time_that_a_cache_does_not_take(running: Running, said: str, lives: int | None) -> None:
    """What shall live shorter than it can is not asked of it; what shall live longer ends there earlier."""
    told, _, notes = await heard_of(running, {"Edge-Cache-Ttl": said})
    told.pop("helicone-cache-enabled", None)
    name, longest = {
        "cloudflare-gateway": ("cf-aig-cache-ttl", 30 * 86400),
        "openrouter": ("x-openrouter-cache-ttl", 86400),
        "helicone": ("cache-control", 365 * 86400),
    }[running.system.name]
    if lives is None:
        assert told == {}  # it is no time: nothing was said
    elif running.system.name == "cloudflare-gateway" and lives < 60:
        assert told == {"cf-aig-skip-cache": "true"}
    else:
        seconds = min(lives, longest)
        assert told == {name: f"max-age={seconds}" if name == "cache-control" else str(seconds)}
    assert notes.untold == ()


@pytest.mark.parametrize("running", ["cloudflare-gateway"], indirect=True)
async def test_a_key_that_takes_the_place_of_theirs_has_all_in_it_that_theirs_has(running: Running) -> None:
    """The namespace, the credential, the body with its `stream`: what differs in one of them is another question there."""
    keys = []
    for namespace, key, form, more in [
        ("a", "k", "chat", {}), ("a", "k", "chat", {}), ("b", "k", "chat", {}), ("a", "l", "chat", {}),
        ("a", "k", "chat", {"seed": 7}), ("a", "k", "stream", {}),
    ]:  # fmt: skip
        running.monkeypatch.setenv("ENDPOINT_KEY", key)
        running.emulator.secret = key
        async with client_of(running.edge(), "chat", "sync") as client:
            said = {"extra_headers": {"Edge-Cache-Namespace": namespace}, **more}
            await ask(client, form, running.model("chat"), **said)
        keys.append(running.emulator.seen[-1].headers["cf-aig-cache-key"])
    assert keys[0] == keys[1] and len(set(keys)) == 5


@pytest.mark.parametrize("running", ["helicone", "litellm", "portkey", "cloudflare-gateway"], indirect=True)
@pytest.mark.parametrize(
    "namespace", ['a"}, "no-cache": {"', "gr\u00f6\u00dfe \u2713", "line\r\nx-evil: 1", "n" * 3000, "{s}{x}"]
)
async def test_no_namespace_breaks_out_of_its_header_or_fails_a_call(running: Running, namespace: str) -> None:
    told, in_body, _ = await heard_of(running, {}, namespace=namespace)
    assert all(value.isascii() and value.isprintable() and len(value) < 200 for value in told.values())
    assert in_body is None or (in_body.keys() == {"namespace"} and len(in_body["namespace"]) < 100)


@pytest.mark.parametrize("running", ["litellm"], indirect=True)
async def test_where_the_words_go_into_a_body_of_openais_the_other_sdk_has_none(running: Running) -> None:
    async with client_of(running.edge(cache="exact"), "messages", "sync") as client:
        said = {"extra_headers": {"Cache-Control": "no-cache", **LIVES}}
        answer = await ask(client, "messages", running.model("messages"), **said)
    assert edgeclient.notes(answer).untold == ("no-cache", "ttl", "namespace")
    assert "cache" not in running.emulator.seen[-1].body
