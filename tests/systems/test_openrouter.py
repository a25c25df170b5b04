"""Errors of OpenRouter inside of answers with a 200: whole ones, and in the middle of streams."""

from __future__ import annotations

from typing import Any

import anthropic
import openai
import pytest

import edgeclient
from edgeclient.lab.systems.openrouter import OpenRouter
from edgeclient.lab.systems.serving import Serving
from edgeclient.routing import presets
from edgeclient.values import Reply

from .asking import ask
from .conftest import client_of

pytestmark = pytest.mark.anyio


def status_of(body: bytes | None, status: int = 200, preset: str = "openrouter:") -> int:
    (endpoint,) = presets.expand(preset)
    found: int = endpoint["product"].status_of(Reply(status, [], body))
    return found


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"error":{"code":502,"message":"x"}}', 502),
        (b'{"id":"gen-1","choices":[],"error":{"code":429,"message":"x"}}', 429),
        (b'{"choices":[{"message":{"content":"so far"}}],"error":{"code":502}}', 200),  # an answer, for the caller
        (b'{"choices":[{"message":{"content":"\\"error\\": {}"}}]}', 200),
        (b'{"error":{"code":"server_error"}}', 200),
        (b'{"error":{"code":200}}', 200),
        (b'{"error":null}', 200),
        (b'{"error":', 200),
        (b'["error"]', 200),
        (None, 200),
    ],
)
def test_the_status_inside(body: bytes | None, status: int) -> None:
    assert status_of(body) == status


def test_only_where_it_is_said_to_be_so() -> None:
    body = b'{"error":{"code":502,"message":"x"}}'
    assert status_of(body, preset="groq:") == 200 and status_of(body, status=404) == 404


async def test_an_error_for_the_caller_stays_as_it_came(monkeypatch: pytest.MonkeyPatch, colour: str) -> None:
    monkeypatch.setenv("OPENROUTER_API_KEY", "x")
    flagged: dict[str, Any] = {"error": {"code": 403, "message": "flagged"}}
    monkeypatch.setitem(OpenRouter.failures, "flagged inside", (200, flagged, ()))
    with Serving(OpenRouter("x")) as serving:
        serving.emulator.next = ["flagged inside"]
        edge = edgeclient.Edge(endpoints=[f"openrouter:?host={serving.url}"], origin="never", probe=False)
        async with client_of(edge, "chat", colour) as client:
            asked = client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "?"}])
            answer = await asked if colour == "async" else asked
    assert answer.choices is None and answer.error == flagged["error"]
    notes = edgeclient.notes(answer)
    assert notes is not None and [a.outcome for a in notes.tried] == ["ok"]


@pytest.mark.parametrize(
    ("what", "code", "last_failure"),
    [
        ("chat", 502, "status"),
        ("chat", "server_error", "status"),
        ("chat", 429, "throttled"),
        ("chat", 403, ""),
        ("messages", 502, "status"),
    ],
)
async def test_an_error_in_the_middle_of_a_stream(
    monkeypatch: pytest.MonkeyPatch, colour: str, what: str, code: Any, last_failure: str
) -> None:
    monkeypatch.setenv("OPENROUTER_API_KEY", "x")
    emulator = OpenRouter("x")
    emulator.breaks = code
    with Serving(emulator) as serving:
        edge = edgeclient.Edge(
            endpoints=[f"openrouter:?host={serving.url}"], origin="never", probe=False, cache="exact"
        )
        model = "claude-sonnet-5" if what == "messages" else "gpt-4o"
        async with client_of(edge, what, colour) as client:
            with pytest.raises((openai.APIError, anthropic.APIError)):
                await ask(client, "stream", model)
        status = edge.status()
        assert status.endpoints[0].last_failure == last_failure and status.counts["broken streams"] == 1
        assert status.counts.get("stored", 0) == 0
