"""Without settings our clients are the plain SDK's, to the byte; and seen by the pipeline, their requests are too."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from typing import Any

import openai
import pytest
import ways
from recording import Origin, Seen
from shapes import CHAT, SHAPES, Shape, perform

import edgeclient

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.usefixtures("no_pauses"),
    pytest.mark.filterwarnings("ignore:Async generator:ResourceWarning"),  # of both plain SDKs too, on trio
]

MIRRORS = {"openai": edgeclient.openai, "anthropic": edgeclient.anthropic}

# Random in each request of the plain SDK too: the multipart boundary, 16 bytes from os.urandom in hexadecimal. It stands
# in the content type and in the body, always with the same length.
_BOUNDARY = re.compile(rb"boundary=([0-9a-f]{32})")


def as_compared(request: Seen) -> bytes:
    """A request's bytes, without what is random in each of them."""
    found = _BOUNDARY.search(request.head)
    return request.raw.replace(found[1], b"BOUNDARY") if found else request.raw


def construct(module: Any, shape: Shape, way: ways.Way, origin: Origin, **more: Any) -> Any:
    keys = {"api_key": f"sk-{shape.sdk}"}
    if shape.client == "AzureOpenAI":
        keys |= {"azure_endpoint": origin.url, "api_version": "2025-01-01"}
    else:
        keys |= {"base_url": origin.url if shape.sdk == "anthropic" else origin.v1}
    if "auth_token" in shape.construct:
        del keys["api_key"]
    return way.keep(way.cls(module, shape.client)(**{**keys, **shape.construct, **more}))


async def run(
    module: Any, shape: Shape, way: ways.Way, origin: Origin, family: Any, **more: Any
) -> tuple[Any, list[bytes]]:
    """The outcome of a shape with the client of a module, and the requests it took."""
    client = construct(module, shape, way, origin, **more)
    origin.fail(*shape.faults())
    outcome = await perform(client, shape, family)
    assert not origin.faults, "the shape did not meet all its faults"
    return outcome, [as_compared(request) for request in origin.take()]


@pytest.fixture(params=["inactive", "notes"])
def edge_state(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Without settings the pipeline is not even imported; with `notes` every call passes it."""
    if request.param == "notes":
        monkeypatch.setenv("EDGECLIENT_NOTES", "true")
    return str(request.param)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.id)
async def test_requests_and_answers_are_the_plain_sdks(
    shape: Shape, way_name: str, edge_state: str, origin: Origin
) -> None:
    family = ways.own_family(shape.sdk)
    async with ways.opened(way_name) as way:
        plain, expected = await run(ways.SDKS[shape.sdk], shape, way, origin, family)
        ours, requests = await run(MIRRORS[shape.sdk], shape, way, origin, family)
        assert requests == expected and expected
        assert ours == plain


_GIVEN = [
    pytest.param(shape, family, id=f"{shape.id}-{family}")
    for shape in SHAPES
    if shape.id in ("chat", "chat_stream", "files_upload", "message")
    for family in ways.families(shape.sdk)
]


@pytest.mark.parametrize(("shape", "family_name"), _GIVEN)
async def test_with_a_callers_own_http_client_too(
    shape: Shape, family_name: str, way_name: str, edge_state: str, origin: Origin
) -> None:
    family = importlib.import_module(family_name)
    async with ways.opened(way_name) as way:
        sdk, ours = ways.SDKS[shape.sdk], MIRRORS[shape.sdk]
        plain = await run(sdk, shape, way, origin, family, http_client=way.http_client(family))
        assert await run(ours, shape, way, origin, family, http_client=way.http_client(family)) == plain


async def test_a_key_from_a_function_is_asked_for_each_attempt(way_name: str, edge_state: str, origin: Origin) -> None:
    shape = next(s for s in SHAPES if s.id == "retries_after_500")

    def keys() -> Callable[[], Any]:
        numbers = iter(range(9))

        async def later() -> str:
            return f"sk-{next(numbers)}"

        return later if way_name != "threads" else lambda: f"sk-{next(numbers)}"

    async with ways.opened(way_name) as way:
        family = ways.own_family("openai")
        plain = await run(ways.SDKS["openai"], shape, way, origin, family, api_key=keys())
        assert len(plain[1]) == 3
        assert await run(MIRRORS["openai"], shape, way, origin, family, api_key=keys()) == plain


async def test_the_retry_count_of_the_sdk_is_sent(way_name: str, edge_state: str, origin: Origin) -> None:
    shape = next(s for s in SHAPES if s.id == "retries_after_500")
    async with ways.opened(way_name) as way:
        origin.fail(*shape.faults())
        client = construct(MIRRORS["openai"], shape, way, origin)
        await perform(client, shape, ways.own_family("openai"))
        assert [request.header("x-stainless-retry-count") for request in origin.take()] == ["0", "1", "2"]


@pytest.mark.parametrize("resource", ["chat.completions", "embeddings", "models", "responses", "moderations"])
def test_module_level_calls_are_the_plain_modules(
    resource: str, edge_state: str, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments: dict[str, Any] = {
        "chat.completions": CHAT,
        "embeddings": {"model": "e", "input": "a"},
        "models": {},
        "responses": {"model": "gpt-4o", "input": "hi"},
        "moderations": {"input": "hi"},
    }[resource]
    monkeypatch.setattr(openai, "base_url", f"{origin.v1}/")
    monkeypatch.setattr(openai, "api_key", "sk-module")
    monkeypatch.setattr(openai, "default_headers", {"x-module": "1"})
    monkeypatch.setattr(openai, "http_client", None)  # the module keeps its first one there
    openai._reset_client()
    seen = []
    for module in (openai, edgeclient.openai):
        target = module
        for part in resource.split("."):
            target = getattr(target, part)
        (target.list if resource == "models" else target.create)(**arguments)
        seen.append([request.raw for request in origin.take()])
    openai._load_client().close()
    openai._reset_client()
    assert seen[0] == seen[1] and b"sk-module" in seen[0][0]
