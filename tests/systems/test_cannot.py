"""What must not go to a system, and why: the reasons, call by call."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from edgeclient.dialects import dialect_of
from edgeclient.routing import presets
from edgeclient.routing.systems import Bound
from edgeclient.values import Call

CHAT, EMBEDDINGS, RESPONSES, MESSAGES = "/chat/completions", "/embeddings", "/responses", "/v1/messages"


def _with(*parts: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [{"type": "text", "text": "What is this?"}, *parts]}]}


LINK = _with({"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}})
DATA = _with({"type": "image_url", "image_url": {"url": f"data:image/png;base64,{'A' * 8000}"}})
CLAUDE_LINK = _with({"type": "image", "source": {"type": "url", "url": "https://example.com/cat.png"}})
CLAUDE_DATA = _with({"type": "image", "source": {"type": "base64", "data": "A" * 8000}})
INPUT = {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "https://example.com/cat.png"}]}]}
LONG = {"messages": [{"role": "user", "content": "x" * 40_000}]}


@pytest.mark.parametrize(
    ("preset", "path", "body", "why"),
    [
        ("groq:", CHAT, {"n": 1}, ""),
        ("groq:", CHAT, {"n": None, "logprobs": True}, ""),
        ("groq:", CHAT, {"n": 2}, "one answer"),
        ("groq:", EMBEDDINGS, {"input": "x"}, "no embeddings"),
        ("groq:", MESSAGES, {}, "no messages"),
        ("groq:", RESPONSES, {"input": "x"}, ""),
        ("cerebras:", RESPONSES, {"input": "x"}, "no responses"),
        ("together:", RESPONSES, {"input": "x"}, "no responses"),
        ("together:", EMBEDDINGS, {"input": "x", "user": "ada"}, ""),
        ("together:", EMBEDDINGS, {"input": "x", "dimensions": 256}, "dimensions"),
        ("huggingface:", EMBEDDINGS, {"input": "x"}, "no embeddings"),
        ("ollama:", CHAT, {"n": 3}, "one answer"),
        ("ollama:", CHAT, {"tool_choice": "auto", "logprobs": False, "logit_bias": {}}, ""),
        ("ollama:", CHAT, {"tool_choice": "required"}, "tool_choice"),
        ("ollama:", CHAT, {"tool_choice": {"type": "function", "function": {"name": "f"}}}, "tool_choice"),
        ("ollama:", MESSAGES, {"tool_choice": {"type": "auto"}}, ""),
        ("ollama:", MESSAGES, {"tool_choice": {"type": "any"}}, "'any'"),
        ("ollama:", CHAT, {"logprobs": True}, "logprobs"),
        ("ollama:", RESPONSES, {"input": "x", "previous_response_id": "resp_1"}, "previous_response_id"),
        ("ollama:", CHAT, LINK, "URL"),
        ("ollama:", CHAT, DATA, ""),
        ("ollama:", MESSAGES, CLAUDE_LINK, "URL"),
        ("ollama:", MESSAGES, CLAUDE_DATA, ""),
        ("ollama:", RESPONSES, INPUT, "URL"),
        ("ollama:?vision=no", CHAT, DATA, "vision=no"),
        ("ollama:?vision=no", CHAT, LONG, ""),
        ("ollama:", EMBEDDINGS, {"input": ["one", "two"]}, ""),
        ("ollama:", EMBEDDINGS, {"input": [1, 2, 3]}, "not tokens"),
        ("ollama:", EMBEDDINGS, {"input": [[1, 2], [3]]}, "not tokens"),
        ("ollama:", CHAT, LONG, ""),
        ("ollama:?context=4096", CHAT, LONG, "do not fit its context of 4096"),
        ("ollama:?context=16384", CHAT, LONG, ""),
        ("ollama:?context=16384", CHAT, {**LONG, "max_tokens": 8000}, "do not fit"),
        ("ollama:?context=2048", CHAT, DATA, ""),
        ("llama-cpp:?model=m.gguf&vision=no", MESSAGES, CLAUDE_DATA, "vision=no"),
        ("llama-cpp:?model=m.gguf", CHAT, LINK, ""),
        ("vllm:?model=m&context=8192", CHAT, LONG, "8192"),
        ("vllm:", CHAT, {"n": 2, "tool_choice": "required"}, ""),
    ],
)
def test_what_a_system_cannot_serve(preset: str, path: str, body: dict[str, Any], why: str) -> None:
    (fields,) = presets.expand(preset)
    product = fields["product"]
    assert isinstance(product, Bound)
    size = len(str(body))
    found = dialect_of("POST", path)
    assert found is not None
    call = Call(found[0], "POST", "https://x", path, dialect=found[1], body=body, size=size)
    said = product.cannot(call)
    assert (said is None) if not why else (said is not None and why in said)


def test_what_a_system_says_nothing_about_may_go_there() -> None:
    (fields,) = presets.expand("together:")
    call = Call("openai", "POST", "https://x", CHAT, body={"tools": [{}]})
    assert fields["product"].cannot(call) is None and fields["product"].cannot(replace(call, path="/files")) is None


@pytest.mark.parametrize(
    ("preset", "asked", "there"),
    [
        ("llama-cpp:", "llama-3.1-8b-instruct", None),  # it would answer with whatever it has
        ("llama-cpp:?model=Llama-3.1-8B-Instruct-Q4_K_M.gguf", "gpt-4o", None),
        ("llama-cpp:?model=meta-llama/Llama-3.1-8B-Instruct", "llama-3.1-8b", "meta-llama/Llama-3.1-8B-Instruct"),
        ("vllm:", "llama-3.1-8b-instruct", "meta-llama/Llama-3.1-8B-Instruct"),
        ("vllm:?model=qwen3-8b", "Qwen/Qwen3-8B", "qwen3-8b"),
        ("vllm:?model=local-model", "local-model", "local-model"),
        ("vllm:?model=local-model", "qwen3-8b", None),
        ("ollama:", "llama-3.1-8b-instruct", "llama3.1:8b"),
        ("ollama:", "gpt-4o", None),
        ("huggingface:?by=groq", "gpt-oss-20b", "openai/gpt-oss-20b:groq"),
        ("openrouter:", "claude-sonnet-4-6", "anthropic/claude-sonnet-4.6"),
        ("openrouter:", "claude-sonnet-5", "anthropic/claude-sonnet-5"),
        ("openrouter:", "mistralai/mistral-small", "mistralai/mistral-small"),
        ("openrouter:", "my-own", None),
    ],
)
def test_what_a_model_is_called_there(preset: str, asked: str, there: str | None) -> None:
    (fields,) = presets.expand(preset)
    assert fields["product"].name_there(asked, "openai") == there


def test_each_region_is_an_endpoint() -> None:
    both = presets.expand("fireworks:?regions=global,us")
    assert [(e["name"], e["region"], e["url"]) for e in both] == [
        ("fireworks-global", "global", "https://api.fireworks.ai/inference/v1"),
        ("fireworks-us", "us", "https://us.api.fireworks.ai/inference/v1"),
    ]
    (eu,) = presets.expand({"system": "openrouter", "region": "eu", "name": "eu"})
    assert (eu["url"], eu["anthropic"]) == ("https://eu.openrouter.ai/api/v1", "https://eu.openrouter.ai/api")


@pytest.mark.parametrize("preset", ["fireworks:?region=mars", "openrouter:?region=mars"])
def test_a_region_that_there_is_not_is_said(preset: str) -> None:
    with pytest.raises(ValueError, match=r"no region 'mars'; there are global"):
        presets.expand(preset)


def test_a_preset_without_parts_takes_none() -> None:
    assert [e["name"] for e in presets.expand("groq:")] == ["groq"]
    assert presets.expand({"system": "ollama"})[0]["url"] == "http://localhost:11434/v1"
    with pytest.raises(ValueError, match="too many parts; it is written groq:"):
        presets.expand("groq:x")
