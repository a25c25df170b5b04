"""What a system refuses though it changes little is left out on the way: through the SDK, to the strict emulator."""

from __future__ import annotations

from typing import Any

import pytest

from .asking import HELLO, ask
from .conftest import Running, client_of, settled

pytestmark = pytest.mark.anyio

NAMED = [{**HELLO[0], "name": "ada"}, {"role": "assistant", "content": "Far."}, HELLO[0]]


@pytest.mark.parametrize(
    ("running", "asked", "left_out"),
    [
        ("groq", {"logprobs": True, "top_logprobs": 2, "logit_bias": {"50256": -100}}, "logprobs top_logprobs logit_bias"),
        ("groq", {"n": 1, "seed": 7}, ""),
        ("cerebras", {"frequency_penalty": 0.5, "parallel_tool_calls": False, "seed": 7},
         "frequency_penalty parallel_tool_calls"),
    ],
    indirect=["running"],
)  # fmt: skip
async def test_what_is_left_out(running: Running, colour: str, asked: dict[str, Any], left_out: str) -> None:
    async with client_of(running.edge(), "chat", colour) as client:
        await settled(client.chat.completions.create(model=running.model("chat"), messages=NAMED, **asked))
    body = running.emulator.seen[-1].body
    assert {*asked} - {*body} == {*left_out.split()}
    names = [message.get("name") for message in body["messages"]]
    assert names == ([None, None, None] if running.system.name == "groq" else ["ada", None, None])


@pytest.mark.parametrize("running", ["together"], indirect=True)
async def test_embeddings_go_without_a_user(running: Running, colour: str) -> None:
    async with client_of(running.edge(), "embeddings", colour) as client:
        await ask(client, "embeddings", running.model("embeddings"), user="ada")
        await ask(client, "chat", running.model("chat"), user="ada")
    assert [heard.body.get("user") for heard in running.emulator.seen] == [None, "ada"]


@pytest.mark.parametrize("running", ["cerebras"], indirect=True)
async def test_what_pages_disagree_about_can_be_sent(running: Running, colour: str) -> None:
    endpoint = {**running.endpoint(), "url": f"cerebras:?unsupported=send&host={running.serving.url}"}
    async with client_of(running.edge(endpoints=[endpoint]), "chat", colour) as client:
        with pytest.raises(Exception, match="presence_penalty is not supported"):
            await settled(client.chat.completions.create(model="gpt-oss-120b", messages=HELLO, presence_penalty=1.0))
