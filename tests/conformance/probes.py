"""What an exact cache of model answers has to do: one small function for each row of the table.

A probe gives "" when it does, or says in a few words what happened instead. It raises `Cannot` where a row does not apply.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from chat_origin import ChatOrigin
from subjects import Cannot, Question, Said, Subject

Probe = Callable[[Subject, ChatOrigin], str]
ROWS: dict[str, Probe] = {}  # what it promises -> how it is tried
AT_ONCE = 20


def row(promise: str) -> Callable[[Probe], Probe]:
    def kept(probe: Probe) -> Probe:
        ROWS[promise] = probe
        return probe

    return kept


def twice(it: Subject, origin: ChatOrigin, asked: Question, then: Question | None = None) -> tuple[Said, Said, int]:
    """Two calls, and how many of them the origin got."""
    before = origin.count
    return it.ask(asked), it.ask(then or asked), origin.count - before


def _told_apart(it: Subject, origin: ChatOrigin, changes: dict[str, Question]) -> str:
    """Which of these other questions get the first one's answer."""
    first = Question(origin.url)
    it.ask(first)
    mixed = [name for name, other in changes.items() if _is_hit(it, origin, other)]
    return f"the same answer with another {', '.join(mixed)}" if mixed else ""


def _is_hit(it: Subject, origin: ChatOrigin, asked: Question) -> bool:
    before = origin.count
    it.ask(asked)
    return origin.count == before


# -- the exact cache


@row("A repeated call is answered without asking again")
def repeated(it: Subject, origin: ChatOrigin) -> str:
    first, again, sent = twice(it, origin, Question(origin.url))
    return "" if sent == 1 and first.text == again.text else f"{sent} of 2 calls were sent"


_TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}


@row("Every parameter is in the key")
def parameters(it: Subject, origin: ChatOrigin) -> str:
    said: dict[str, Any] = {
        "temperature": 0.5, "max_tokens": 50, "seed": 7, "stop": ["x"], "tools": [_TOOL], "top_p": 0.5, "n": 1,
        "response_format": {"type": "json_object"}, "logit_bias": {"1": 1}, "presence_penalty": 0.5, "user": "u",
    }  # fmt: skip
    changes = {name: Question(origin.url, params=((name, value),)) for name, value in said.items()}
    return _told_apart(it, origin, changes)


@row("Members of the body that the SDK has no parameter for are in the key")
def unknown_members(it: Subject, origin: ChatOrigin) -> str:
    return _told_apart(it, origin, {"`extra_body`": Question(origin.url, unknown=(("top_k", 5),))})


@row("Headers are in the key")
def headers(it: Subject, origin: ChatOrigin) -> str:
    return _told_apart(it, origin, {"header": Question(origin.url, headers=(("OpenAI-Beta", "x=v2"),))})


@row("Another key never gets the answer, by default")
def credentials(it: Subject, origin: ChatOrigin) -> str:
    return _told_apart(it, origin, {"API key": Question(origin.url, key="key-b")})


@row("Another endpoint never gets the answer")
def endpoints(it: Subject, origin: ChatOrigin) -> str:
    with ChatOrigin() as other:
        it.ask(Question(origin.url))
        it.ask(Question(other.url))
        return "" if other.count else "the same answer with another endpoint"


@row("The same call of 20 threads at once is sent once")
def threads_at_once(it: Subject, origin: ChatOrigin) -> str:
    origin.slow_s = 0.3
    with ThreadPoolExecutor(AT_ONCE) as threads:
        texts = set(threads.map(lambda _: it.ask(Question(origin.url)).text, range(AT_ONCE)))
    return "" if origin.count == 1 and len(texts) == 1 else "each was sent"


@row("The same call of 20 tasks at once is sent once")
def tasks_at_once(it: Subject, origin: ChatOrigin) -> str:
    origin.slow_s = 0.3

    async def all_of_them() -> Sequence[Said]:
        return await asyncio.gather(*(it.ask_async(Question(origin.url)) for _ in range(AT_ONCE)))

    texts = {said.text for said in asyncio.run(all_of_them())}
    return "" if origin.count == 1 and len(texts) == 1 else "each was sent"


@row("Errors are never stored")
def errors(it: Subject, origin: ChatOrigin) -> str:
    for status in (400, 404, 429, 500):
        asked = Question(origin.url, params=(("seed", status),))
        origin.status = status
        try:
            it.ask(asked)
        except Exception:
            origin.status = 200
        if origin.status != 200:
            return f"a {status} was no error"
        if not it.ask(asked).text:
            return f"a {status} was stored"
    return ""


def _not_stored(it: Subject, origin: ChatOrigin, asked: Question) -> str:
    *_, sent = twice(it, origin, asked)
    return "" if sent == 2 else "it was stored"


@row("An answer that was cut short is never stored")
def cut_short(it: Subject, origin: ChatOrigin) -> str:
    origin.finish = "length"
    return _not_stored(it, origin, Question(origin.url))


@row("A filtered answer is never stored")
def filtered(it: Subject, origin: ChatOrigin) -> str:
    origin.finish = "content_filter"
    return _not_stored(it, origin, Question(origin.url))


@row("An empty answer is never stored")
def empty(it: Subject, origin: ChatOrigin) -> str:
    origin.empty = True
    return _not_stored(it, origin, Question(origin.url))


@row("A hit has an id of its own")
def own_id(it: Subject, origin: ChatOrigin) -> str:
    first, again, _ = twice(it, origin, Question(origin.url))
    return "" if again.id and first.id != again.id else "the first one's id"


@row("A hit has a time of its own (`created`)")
def own_time(it: Subject, origin: ChatOrigin) -> str:
    first, again, _ = twice(it, origin, Question(origin.url))
    if first.created is None:
        raise Cannot
    return "" if again.created and first.created != again.created else "the first one's time"


@row("A hit says that it is one")
def marked(it: Subject, origin: ChatOrigin) -> str:
    first, again, _ = twice(it, origin, Question(origin.url))
    return "" if again.cached and not first.cached else "nothing tells"


@row("A hit is an object of its own: writing into it spoils no other")
def unshared(it: Subject, origin: ChatOrigin) -> str:
    first = it.ask(Question(origin.url))
    text = first.text
    it.spoil(first)
    it.spoil(it.ask(Question(origin.url)))
    return "" if it.ask(Question(origin.url)).text == text else "the next hit is spoilt"


@row("One call can ask anew, and its answer is kept")
def refreshed(it: Subject, origin: ChatOrigin) -> str:
    it.ask(Question(origin.url))
    anew = it.ask(Question(origin.url, refresh=True))
    then = it.ask(Question(origin.url))
    if origin.count == 1:
        return "it was answered from the cache"
    return "" if origin.count == 2 and then.text == anew.text else "the old answer is kept"


@row("A Redis server that is not there fails no call")
def no_redis(it: Subject, origin: ChatOrigin) -> str:
    with socket.socket() as taken:  # bound and not listening: nobody answers there
        taken.bind(("127.0.0.1", 0))
        it.use_redis(taken.getsockname()[1])
        try:
            return "" if it.ask(Question(origin.url)).text else "no text"
        except Exception as error:
            return f"{type(error).__name__}"


# -- streams


def _streams(origin: ChatOrigin) -> Question:
    return Question(origin.url, stream=True)


@row("A stream is stored and replayed")
def streamed(it: Subject, origin: ChatOrigin) -> str:
    first, again, sent = twice(it, origin, _streams(origin))
    return "" if sent == 1 and first.text == again.text else f"{sent} of 2 calls were sent"


@row("An asynchronous stream is stored and replayed")
def streamed_async(it: Subject, origin: ChatOrigin) -> str:
    async def both() -> tuple[Said, Said]:
        first = await it.ask_async(_streams(origin))
        await asyncio.sleep(0.1)  # some write beside the call
        return first, await it.ask_async(_streams(origin))

    first, again = asyncio.run(both())
    return "" if origin.count == 1 and first.text == again.text else f"{origin.count} of 2 calls were sent"


@row("A stored stream answers the same call that is not streamed (when the stream told its usage)")
def stream_then_whole(it: Subject, origin: ChatOrigin) -> str:
    for options in ((), (("stream_options", {"include_usage": True}),)):  # where it takes either, that will do
        streamed = replace(_streams(origin), params=(("seed", len(options)), *options))
        first, again, sent = twice(it, origin, streamed, Question(origin.url, params=(("seed", len(options)),)))
        if sent == 1 and first.text == again.text:
            return ""
    return "it is asked again"


@row("A stored answer is replayed as a stream")
def whole_then_stream(it: Subject, origin: ChatOrigin) -> str:
    first, again, sent = twice(it, origin, Question(origin.url), _streams(origin))
    return "" if sent == 1 and first.text == again.text else "it is asked again"


@row("A stream that was cut short is never stored")
def stream_cut_short(it: Subject, origin: ChatOrigin) -> str:
    origin.finish = "length"
    return _not_stored(it, origin, _streams(origin))


@row("A stream that broke is never stored")
def broken_stream(it: Subject, origin: ChatOrigin) -> str:
    origin.breaks = True
    try:
        it.ask(_streams(origin))
    except Exception:  # as it should be; some say nothing
        pass
    origin.breaks = False
    said, sent = it.ask(_streams(origin)), origin.count
    return "" if sent == 2 and said.text.endswith("number 2.") else "half an answer is replayed"
