"""Answers that call tools: stored where that is allowed, spelled out for both SDKs as they were, and kept from all others."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeclient import Cache, Edge
from edgeclient.cache import policy
from edgeclient.dialects import dialect_of
from edgeclient.settings import SettingsError
from edgeclient.values import Reply

from . import answers

INPUTS = st.dictionaries(st.text(max_size=9), st.none() | st.integers() | st.text(max_size=9), max_size=3)
streamed = pytest.mark.parametrize("name", ["openai_chat", "openai_responses", "anthropic_messages"])
BODY = {"stream": True, "stream_options": {"include_usage": True}}


def calling(name: str, inputs: list[dict[str, Any]], text: str = "") -> dict[str, Any]:
    """An answer of that dialect that calls the tool `f` with each of these, after some text if there is any."""
    answer = answers.storable(name, [text or "x"])
    spelled = [json.dumps(one) for one in inputs]
    if name == "openai_chat":
        functions = [{"name": "f", "arguments": one} for one in spelled]
        calls = [{"id": f"call_{n}", "type": "function", "function": one} for n, one in enumerate(functions)]
        answer["choices"][0]["message"] |= {"content": text or None, "tool_calls": calls}
        answer["choices"][0]["finish_reason"] = "tool_calls"
    elif name == "openai_responses":
        answer["output"] = answer["output"] if text else []
        for n, one in enumerate(spelled):
            item = {"id": f"fc_{n}", "type": "function_call", "status": "completed", "call_id": f"call_{n}"}
            answer["output"].append({**item, "name": "f", "arguments": one})
    else:
        answer["content"] = answer["content"] if text else []
        answer["content"] += [
            {"type": "tool_use", "id": f"toolu_{n}", "name": "f", "input": one} for n, one in enumerate(inputs)
        ]
        answer["stop_reason"] = "tool_use"
    return answer


@streamed
@given(inputs=st.lists(INPUTS, min_size=1, max_size=3), text=st.text(max_size=20))
def test_a_stream_spells_out_the_same_calls(name: str, inputs: list[dict[str, Any]], text: str) -> None:
    answer, dialect = calling(name, inputs, text), answers.dialect(name)
    assert dialect.calls_tools(answer) and not dialect.storable(answer)
    assert dialect.whole(dialect.replay(answer, BODY)) == answer
    pieces = [(0, len(text), 0.5)]
    if text and dialect.fits(answer, pieces):  # the pace of the text before the calls
        assert dialect.whole(b"".join(part for _, part in dialect.steps(answer, BODY, pieces))) == answer


@streamed
@given(inputs=st.lists(INPUTS, min_size=1, max_size=2), cut=st.integers(0, 10_000))
def test_a_stream_of_calls_that_was_cut_is_no_answer(name: str, inputs: list[dict[str, Any]], cut: int) -> None:
    dialect = answers.dialect(name)
    blocks = dialect.replay(calling(name, inputs), BODY).removesuffix(b"\n\n").split(b"\n\n")
    found = dialect.whole(b"\n\n".join(blocks[: cut % len(blocks)]) + b"\n\n")
    assert found is None or not dialect.calls_tools(found)


@streamed
def test_what_did_not_end_with_its_calls_is_never_stored(name: str) -> None:
    dialect, answer = answers.dialect(name), calling(name, [{}], "text")
    cuts: dict[str, list[dict[str, Any]]] = {
        "openai_chat": [{"choices": [{**answer.get("choices", [{}])[0], "finish_reason": "length"}]}],
        "openai_responses": [{"status": "incomplete"}, {"output": [{**answer.get("output", [{}])[-1], "status": "x"}]}],
        "anthropic_messages": [{"stop_reason": "max_tokens"}, {"stop_reason": "end_turn"}],
    }
    for change in cuts[name]:
        assert not dialect.calls_tools({**answer, **change})
    assert not dialect.calls_tools(answers.storable(name, ["one"])) and not dialect.calls_tools({})


@streamed
def test_such_an_entry_answers_only_where_that_is_allowed(name: str) -> None:
    call, body = answers.call(name, {}), json.dumps(calling(name, [{}])).encode()
    said: dict[str, Any] = {"now": 0.0, "fresh_s": 9.0, "endpoint": "", "pop": ""}
    assert policy.entry_of(call, Reply(200, []), body, **said) is None
    entry = policy.entry_of(call, Reply(200, []), body, **said, tool_calls=True)
    assert entry is not None and entry.calls_tools
    assert policy.usable(entry, call, 1.0, tool_calls=True) and not policy.usable(entry, call, 1.0)
    assert policy.usable(replace(entry, calls_tools=False), call, 1.0)


# -- through both SDKs, over loopback


class Provider:
    """Answers each request with the same calls, plain or as a stream."""

    def __init__(self) -> None:
        self.seen = 0
        told = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                told.seen += 1
                asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
                path = "/v1/messages" if self.path == "/v1/messages" else self.path.removeprefix("/v1")
                found = dialect_of("POST", path)
                assert found is not None
                name = found[1].name
                answer = calling(name, [{"city": "Łódź"}, {}], "I look.")
                if asked["model"] == "of words":
                    answer = answers.storable(name, ["I look."])
                said = found[1].replay(answer, asked) if asked.get("stream") else json.dumps(answer).encode()
                self.send_response(200)
                self.send_header("content-type", "text/event-stream" if asked.get("stream") else "application/json")
                self.send_header("content-length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            def log_message(self, *said: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"


@pytest.fixture
def provider() -> Iterator[Provider]:
    made = Provider()
    thread = threading.Thread(target=made.server.serve_forever)
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


ASKED: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "?"}]}


def _chat(client: Any, streams: bool) -> Any:
    if not streams:
        return client.chat.completions.create(**ASKED).choices[0].to_dict()
    with client.chat.completions.stream(**ASKED, stream_options={"include_usage": True}) as stream:
        return stream.get_final_completion().choices[0].to_dict()


def _responses(client: Any, streams: bool) -> Any:
    if not streams:
        return [item.to_dict() for item in client.responses.create(model="m", input="?").output]
    with client.responses.stream(model="m", input="?") as stream:
        return [item.to_dict() for item in stream.get_final_response().output]


def _messages(client: Any, streams: bool) -> Any:
    if not streams:
        answer = client.messages.create(**ASKED, max_tokens=9)
    else:
        with client.messages.stream(**ASKED, max_tokens=9) as stream:
            answer = stream.get_final_message()
    return answer.stop_reason, [block.to_dict() for block in answer.content]


@pytest.mark.parametrize("ask", [_chat, _responses, _messages])
@pytest.mark.parametrize("streams", [False, True])
def test_hits_are_what_the_sdk_made_of_the_first_answer(
    provider: Provider, tmp_path: Path, ask: Any, streams: bool
) -> None:
    file = f"sqlite:{tmp_path}/a.db"
    with (
        Edge(cache=Cache("exact", store=file, budget_s=9.0, tool_calls=True)) as edge,
        Edge(cache=Cache("exact", store=file, budget_s=9.0)) as other,
    ):
        name = "Anthropic" if ask is _messages else "OpenAI"
        said = {"api_key": "k", "base_url": provider.url if ask is _messages else f"{provider.url}/v1"}
        with (
            getattr(anthropic if ask is _messages else openai, name)(**said) as plain,
            getattr(edge, name)(**said) as client,
            getattr(other, name)(**said) as another,
        ):
            first = {way: ask(plain, way) for way in (False, True)}
            assert ask(client, streams) == first[streams] and provider.seen == 3
            for way in (streams, not streams):
                assert ask(client, way) == first[way]
            assert provider.seen == 3, "what was stored in one form answers in both"
            assert ask(another, streams) == first[streams] and provider.seen == 4, "an edge that does not allow it asks"


@pytest.mark.parametrize(("model", "asked"), [("of words", 1), ("of calls", 2)])
def test_calls_are_never_given_for_another_question(provider: Provider, model: str, asked: int) -> None:
    cache = Cache("semantic", semantic="serve", embedder="none", audit_rate=0.0, tool_calls=True)
    with Edge(cache=cache) as edge, edge.OpenAI(api_key="k", base_url=f"{provider.url}/v1") as client:
        for text in ("How far is Mumbai?", "how far is mumbai", "How far is Mumbai?", "how far is mumbai"):
            client.chat.completions.create(model=model, messages=[{"role": "user", "content": text}])
    assert provider.seen == asked


def test_the_setting_is_a_word_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match="tool_calls"):
        Edge(cache=Cache("exact", tool_calls="yes"))  # type: ignore[arg-type]
