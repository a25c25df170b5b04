"""One question to either SDK in the forms people use, and a small network: the SDK's own origin, endpoints, clients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import ways
from recording import Origin
from shapes import ASK, CHAT, MESSAGE
from ways import each, entered, settled

import edgeclient

FORMS = ["plain", "stream", "raw", "streaming"]
CLIENTS = {"openai": "OpenAI", "anthropic": "Anthropic"}
SECRET = "sk-THE-CALLERS-OWN-SECRET"


@dataclass(frozen=True)
class Said:
    """The text of an answer, the answer object, and what the edge says about it."""

    text: str
    answer: Any
    notes: Any


async def ask(client: Any, form: str = "plain", question: str = "How far is Frankfurt?", **more: Any) -> Said:
    """Ask a client of either SDK, in one form."""
    openai_like = hasattr(client, "chat")
    resource = client.chat.completions if openai_like else client.messages
    asked = {**(CHAT if openai_like else MESSAGE), "messages": [{**ASK[0], "content": question}], **more}
    if form == "plain":
        answer = await settled(resource.create(**asked))
        return Said(text_of(answer), answer, edgeclient.notes(answer))
    if form == "raw":
        answer = await settled(resource.with_raw_response.create(**asked))
        return Said(text_of(await settled(answer.parse())), answer, edgeclient.notes(answer))
    if form == "streaming":
        async with entered(resource.with_streaming_response.create(**asked)) as answer:
            return Said(text_of(await settled(answer.parse())), answer, edgeclient.notes(answer))
    assert form == "stream"
    if openai_like:
        asked.setdefault("stream_options", {"include_usage": True})
    stream = await settled(resource.create(stream=True, **asked))
    return Said(await text_of_stream(stream), stream, edgeclient.notes(stream))


def text_of(answer: Any) -> str:
    text: str = answer.choices[0].message.content if hasattr(answer, "choices") else answer.content[0].text
    return text


async def text_of_stream(stream: Any) -> str:
    parts = []
    async for event in each(stream):
        if hasattr(event, "choices"):
            parts += [choice.delta.content or "" for choice in event.choices]
        elif event.type == "content_block_delta":
            parts.append(event.delta.text)
    return "".join(parts)


@dataclass
class Net:
    """The SDK's own origin and three endpoints, `fra`, `nyc` and `bom`, none of which is it."""

    sdk: str
    way: ways.Way
    origin: Origin
    endpoints: Mapping[str, Origin]
    others: dict[str, Origin] = field(default_factory=dict)  # further hosts of the internet

    def endpoint(self, name: str, **options: Any) -> Any:
        """An endpoint of that name that speaks this SDK's API."""
        server = self.endpoints[name]
        return edgeclient.Endpoint(name=name, **{**self.urls(server.url), **options})

    def urls(self, url: str) -> dict[str, str]:
        return {"url": f"{url}/v1"} if self.sdk == "openai" else {"anthropic": url}

    def base(self, server: Origin) -> str:
        """What this SDK takes as `base_url` of a server."""
        return server.v1 if self.sdk == "openai" else server.url

    def edge(self, *endpoints: Any, **options: Any) -> Any:
        """An edge over endpoints by name (or ready made). It does not probe unless it is told to."""
        made = [self.endpoint(one) if isinstance(one, str) else one for one in endpoints]
        options = {"key": "passthrough", "probe": False, **options}
        return edgeclient.Edge(endpoints=made, **options)

    def client(self, edge: Any, *, family: Any = None, http: Mapping[str, Any] | None = None, **options: Any) -> Any:
        """A client of the edge that talks to the SDK's own origin (which is on loopback here)."""
        family = family or ways.own_family(self.sdk)
        hosts = {ways.DEFAULT_HOSTS[self.sdk]: self.origin, **self.others}
        http_client = self.way.http_client(family, hosts, **(http or {}))
        made = self.way.cls(edge, CLIENTS[self.sdk])
        return made(**{"api_key": SECRET, "http_client": http_client, "max_retries": 0, **options})

    def direct(self, edge: Any, server: Origin, **options: Any) -> Any:
        """A client that the SDK gives its own HTTP client, with `server` as its base URL."""
        made = self.way.cls(edge, CLIENTS[self.sdk])
        return self.way.keep(made(**{"api_key": SECRET, "base_url": self.base(server), "max_retries": 0, **options}))

    def seen(self) -> dict[str, int]:
        """How many requests each server saw."""
        counts = {name: len(server.seen) for name, server in {"origin": self.origin, **self.endpoints}.items()}
        return {name: count for name, count in counts.items() if count}

    def servers(self) -> Sequence[Origin]:
        return [self.origin, *self.endpoints.values()]
