"""The caches that are compared, each set up as its own documentation says, behind one way to ask.

What is not installed is not there: `installed()` names those that are.
"""

from __future__ import annotations

import abc
import importlib.metadata
import importlib.util
import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

MODEL = "gpt-4o-mini"


class Cannot(Exception):
    """There is no way to ask this of it: the row does not apply."""


@dataclass
class Said:
    """An answer. `cached`: what it says about itself; None: nothing."""

    text: str
    id: str
    created: int | None
    cached: bool | None
    answer: Any = None


@dataclass(frozen=True)
class Question:
    """One chat call."""

    url: str
    key: str = "key-a"
    stream: bool = False
    refresh: bool = False  # not from the cache, but keep the new answer
    headers: tuple[tuple[str, str], ...] = ()
    unknown: tuple[tuple[str, Any], ...] = ()  # members of the body that no SDK has a parameter for
    params: tuple[tuple[str, Any], ...] = ()

    @property
    def messages(self) -> list[dict[str, str]]:
        return [{"role": "user", "content": "How long does a transfer take?"}]


class Subject(abc.ABC):
    """One cache. A new one, with nothing in it, for each row."""

    package = ""
    setup = ""  # in words, with the source

    @abc.abstractmethod
    def ask(self, asked: Question) -> Said: ...

    @abc.abstractmethod
    async def ask_async(self, asked: Question) -> Said: ...

    @abc.abstractmethod
    def stream(self, asked: Question) -> Iterator[Any]:
        """The parts of a streamed answer as they come: a generator, whose end, or closing, closes the stream."""

    @abc.abstractmethod
    def stream_async(self, asked: Question) -> AsyncIterator[Any]: ...

    def use_redis(self, port: int) -> None:
        """Keep answers on a Redis server at that port."""
        raise Cannot

    def spoil(self, said: Said) -> None:
        """Write into the answer object, as a caller may."""
        said.answer.choices[0].message.content = "spoilt"

    def close(self) -> None:  # noqa: B027
        """Let go of what it keeps."""

    @classmethod
    def version(cls) -> str:
        return importlib.metadata.version(cls.package)


def _read(stream: Any) -> Said:
    parts = list(stream)
    return _joined(parts)


def _joined(parts: list[Any]) -> Said:
    text = "".join(part.choices[0].delta.content or "" for part in parts if part.choices)
    return Said(text, parts[0].id, parts[0].created, None, parts)


class OpenAIShaped(Subject):
    """Asked through the OpenAI SDK's own classes."""

    def __init__(self) -> None:
        self.opened: list[Any] = []

    def close(self) -> None:
        for client in self.opened:
            client.close()

    @abc.abstractmethod
    def client(self, asked: Question) -> Any: ...

    @abc.abstractmethod
    def client_async(self, asked: Question) -> Any: ...

    def arguments(self, asked: Question) -> dict[str, Any]:
        headers = dict(asked.headers) | ({"Cache-Control": "no-cache"} if asked.refresh else {})
        return {
            "model": MODEL, "messages": asked.messages, "stream": asked.stream, **dict(asked.params),
            "extra_headers": headers, "extra_body": dict(asked.unknown),
        }  # fmt: skip

    def said(self, answer: Any) -> Said:
        return Said(answer.choices[0].message.content or "", answer.id, answer.created, self.cached(answer), answer)

    def cached(self, answer: Any) -> bool | None:
        return None

    def stream(self, asked: Question) -> Iterator[Any]:
        client = self.client(asked)
        self.opened.append(client)  # a client that is closed takes along who reads its stream
        stream = client.chat.completions.create(**self.arguments(asked))
        try:
            yield from stream
        finally:
            stream.close()

    async def stream_async(self, asked: Question) -> AsyncIterator[Any]:
        async with self.client_async(asked) as client:
            async for part in await client.chat.completions.create(**self.arguments(asked)):
                yield part

    def ask(self, asked: Question) -> Said:
        with self.client(asked) as client:
            answer = client.chat.completions.create(**self.arguments(asked))
            return _read(answer) if asked.stream else self.said(answer)

    async def ask_async(self, asked: Question) -> Said:
        async with self.client_async(asked) as client:
            answer = await client.chat.completions.create(**self.arguments(asked))
            return _joined([part async for part in answer]) if asked.stream else self.said(answer)


class Ours(OpenAIShaped):
    package = "edgeclient"
    setup = '`Edge(cache="exact")` and its clients'

    def __init__(self) -> None:
        import edgeclient

        super().__init__()
        self._notes = edgeclient.notes
        self._edge = edgeclient.Edge(cache="exact", remember=False)

    def client(self, asked: Question) -> Any:
        return self._edge.OpenAI(api_key=asked.key, base_url=asked.url, max_retries=0)

    def client_async(self, asked: Question) -> Any:
        return self._edge.AsyncOpenAI(api_key=asked.key, base_url=asked.url, max_retries=0)

    def cached(self, answer: Any) -> bool | None:
        notes = self._notes(answer)
        return notes is not None and notes.cache == "hit"

    def use_redis(self, port: int) -> None:
        from edgeclient import Cache, Edge

        self._edge = Edge(cache=Cache("exact", store=f"redis://127.0.0.1:{port}"), remember=False)

    def close(self) -> None:
        super().close()
        self._edge.close()


class LiteLLM(Subject):
    package = "litellm"
    setup = (
        "`litellm.cache = Cache()`, `completion(..., caching=True)` (docs.litellm.ai/docs/caching/all_caches), installed as "
        "`litellm[proxy]`: in a plain install each hit raises `ModuleNotFoundError`"
    )

    def __init__(self) -> None:
        os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # nothing is fetched
        import litellm
        from litellm.caching.caching import Cache

        litellm.suppress_debug_info = True
        self._litellm: Any = litellm
        litellm.cache = Cache()

    def arguments(self, asked: Question) -> dict[str, Any]:
        return {
            "model": f"openai/{MODEL}", "messages": asked.messages, "api_base": asked.url, "api_key": asked.key,
            "stream": asked.stream, "caching": True, "max_retries": 0, **dict(asked.params),
            **({"extra_headers": dict(asked.headers)} if asked.headers else {}),
            **({"extra_body": dict(asked.unknown)} if asked.unknown else {}),
            **({"cache": {"no-cache": True}} if asked.refresh else {}),
        }  # fmt: skip

    def said(self, answer: Any) -> Said:
        hit = answer._hidden_params.get("cache_hit")
        return Said(answer.choices[0].message.content or "", answer.id, answer.created, hit, answer)

    def stream(self, asked: Question) -> Iterator[Any]:
        yield from self._litellm.completion(**self.arguments(asked))

    async def stream_async(self, asked: Question) -> AsyncIterator[Any]:
        async for part in await self._litellm.acompletion(**self.arguments(asked)):
            yield part

    def ask(self, asked: Question) -> Said:
        answer = self._litellm.completion(**self.arguments(asked))
        return _read(answer) if asked.stream else self.said(answer)

    async def ask_async(self, asked: Question) -> Said:
        answer = await self._litellm.acompletion(**self.arguments(asked))
        return _joined([part async for part in answer]) if asked.stream else self.said(answer)

    def use_redis(self, port: int) -> None:
        from litellm.caching.caching import Cache

        self._litellm.cache = Cache(type="redis", host="127.0.0.1", port=str(port))

    def close(self) -> None:
        self._litellm.cache = None


class LangChain(Subject):
    package = "langchain-openai"
    setup = "`set_llm_cache(InMemoryCache())` and `ChatOpenAI` (docs.langchain.com: chat model caching)"

    def __init__(self) -> None:
        from langchain_core.caches import InMemoryCache
        from langchain_core.globals import set_llm_cache

        self._set: Any = set_llm_cache
        set_llm_cache(InMemoryCache())

    def model(self, asked: Question) -> Any:
        if asked.refresh:
            raise Cannot
        from langchain_openai import ChatOpenAI

        return ChatOpenAI(
            model=MODEL, base_url=asked.url, api_key=asked.key, max_retries=0,  # type: ignore[arg-type]
            default_headers=dict(asked.headers) or None, extra_body=dict(asked.unknown) or None,
        ).bind(**dict(asked.params))  # fmt: skip

    def said(self, answer: Any) -> Said:
        used = answer.usage_metadata or {}
        return Said(answer.content, answer.id or "", None, True if used.get("total_cost") == 0 else None, answer)

    @staticmethod
    def _messages(asked: Question) -> list[tuple[str, str]]:
        return [(one["role"].replace("user", "human"), one["content"]) for one in asked.messages]

    def stream(self, asked: Question) -> Iterator[Any]:
        yield from self.model(asked).stream(self._messages(asked))

    async def stream_async(self, asked: Question) -> AsyncIterator[Any]:
        async for part in self.model(asked).astream(self._messages(asked)):
            yield part

    def ask(self, asked: Question) -> Said:
        if asked.stream:
            return self._joined(list(self.stream(asked)))
        return self.said(self.model(asked).invoke(self._messages(asked)))

    async def ask_async(self, asked: Question) -> Said:
        if asked.stream:
            return self._joined([part async for part in self.stream_async(asked)])
        return self.said(await self.model(asked).ainvoke(self._messages(asked)))

    @staticmethod
    def _joined(parts: list[Any]) -> Said:
        return Said("".join(part.content for part in parts), parts[0].id, None, None, parts)

    def spoil(self, said: Said) -> None:
        said.answer.content = "spoilt"

    def use_redis(self, port: int) -> None:
        import redis
        from langchain_community.cache import RedisCache

        self._set(RedisCache(redis.Redis(port=port)))

    def close(self) -> None:
        self._set(None)


class Hishel(OpenAIShaped):
    package = "hishel"
    setup = (
        'its `CacheClient` under the OpenAI SDK, `CacheOptions(supported_methods=["GET", "HEAD", "POST"])` (hishel.com); '
        "it heeds what an origin says about caching, and those of models say nothing"
    )

    def __init__(self) -> None:
        import tempfile

        super().__init__()
        self._folder = tempfile.TemporaryDirectory()

    def _http(self, asynchronous: bool) -> Any:
        import hishel
        from hishel import httpx2 as its

        options = hishel.CacheOptions(supported_methods=["GET", "HEAD", "POST"])
        where = f"{self._folder.name}/answers.db"
        if asynchronous:
            return its.AsyncCacheClient(storage=hishel.AsyncSqliteStorage(database_path=where), rfc=options)
        return its.CacheClient(storage=hishel.SqliteStorage(database_path=where), rfc=options)

    def client(self, asked: Question) -> Any:
        import openai

        return openai.OpenAI(api_key=asked.key, base_url=asked.url, max_retries=0, http_client=self._http(False))

    def client_async(self, asked: Question) -> Any:
        import openai

        return openai.AsyncOpenAI(api_key=asked.key, base_url=asked.url, max_retries=0, http_client=self._http(True))

    def close(self) -> None:
        super().close()
        self._folder.cleanup()


RIVALS: dict[str, type[Subject]] = {"LiteLLM": LiteLLM, "LangChain": LangChain, "hishel": Hishel}


def installed() -> dict[str, type[Subject]]:
    """The rivals that this Python has."""
    return {name: kind for name, kind in RIVALS.items() if importlib.util.find_spec(kind.package.replace("-", "_"))}
