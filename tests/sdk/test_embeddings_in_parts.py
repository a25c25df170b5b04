"""Embeddings of a list through openai's client: what goes over the wire is what the SDK would send for the rest."""

from __future__ import annotations

from typing import Any

import pytest
from talking import Net
from ways import settled

import edgeclient

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("no_pauses")]

TEXTS = [f"grüße {n} \u2028 🌍 \x00" for n in range(10)]


@pytest.fixture
def sdk() -> str:
    return "openai"


async def embed(client: Any, said: Any, **more: Any) -> Any:
    return await settled(client.embeddings.create(model="e", input=said, **more))


@pytest.mark.parametrize(
    "more", [{}, {"encoding_format": "float"}, {"encoding_format": "base64"}, {"dimensions": 3}], ids=str
)
@pytest.mark.parametrize("inputs", [TEXTS, [[n, n + 1] for n in range(10)]], ids=["texts", "tokens"])
async def test_the_request_is_the_sdks_own_for_the_rest(net: Net, inputs: list[Any], more: dict[str, Any]) -> None:
    plain = await embed(net.client(net.edge("fra")), [inputs[1], inputs[3]], **more)
    (alone,) = net.endpoints["fra"].take()
    client = net.client(net.edge("fra", cache="exact"))
    await embed(client, [inputs[0], inputs[2]], **more)
    net.endpoints["fra"].take()
    answer = await embed(client, [*inputs[:4], inputs[1]], **more)
    (rest,) = net.endpoints["fra"].take()
    assert rest.raw == alone.raw
    assert type(answer) is type(plain) and [one.index for one in answer.data] == [0, 1, 2, 3, 4]
    assert [one.embedding for one in answer.data] == [plain.data[0].embedding] * 5
    notes = edgeclient.notes(answer)
    assert notes is not None and (notes.cache, notes.known, notes.stored) == ("miss", 3, True)
    again = await embed(client, inputs[3::-1], **more)
    assert edgeclient.notes(again).cache == "hit" and not net.endpoints["fra"].take()  # type: ignore[union-attr]


async def test_the_same_at_the_clients_own_origin(net: Net) -> None:
    client = net.client(net.edge(cache="exact"))
    await embed(client, "a")
    await embed(client, ["a", "b"])
    first, second = net.origin.take()
    assert b'"input":"a"' in first.body and b'"input":["b"]' in second.body


async def test_raw_responses_have_the_headers_of_the_new_answer(net: Net) -> None:
    client = net.client(net.edge("fra", cache="exact"))
    await embed(client, "a")
    raw = await settled(client.embeddings.with_raw_response.create(model="e", input=["a", "b"]))
    parsed = await settled(raw.parse())
    assert len(parsed.data) == 2 and raw.headers["x-request-id"] == "req_1"
