"""The send seam: where a request that an SDK has built becomes a call. Private names of the SDKs live here and nowhere else.

openai sends through `_send_request` (since 2.32), anthropic through `_client.send` inside `_attempt_request` (since 0.108).
Both lie below the SDK's own retries, authentication and signing and above its HTTP client, so that a caller's own
`http_client`, proxies, mounts and event hooks keep working. Without settings the seam calls straight through, and the
pipeline is not even imported.
"""

from __future__ import annotations

import functools
from typing import Any

from .. import noting
from . import taping


@functools.cache
def _sending() -> Any:
    from . import sending

    return sending


@functools.cache
def _models() -> Any:
    from ..front import models

    return models


class Seam:
    """What all our client classes share: the edge they belong to, and the notes of their answers."""

    _edge: Any
    _strict_response_validation: bool
    _bound_edge: Any = None  # a class made by an `Edge` is bound to it; None: the default edge

    def _note(self, answer: Any, response: Any) -> Any:
        said = response.extensions.get("edgeclient") if response is not None else None
        if said is not None:
            noting.attach(answer, said)
        return answer

    def _process_response_data(self, *, data: Any, cast_to: Any, response: Any) -> Any:
        if self._edge.active and not self._strict_response_validation:
            answer = _models().validated(cast_to, data)
            if answer is not None:
                return answer
        return super()._process_response_data(data=data, cast_to=cast_to, response=response)  # type: ignore[misc]


class SyncSeam(Seam):
    def _process_response(self, *args: Any, **kwargs: Any) -> Any:
        answer = super()._process_response(*args, **kwargs)  # type: ignore[misc]
        return self._note(answer, kwargs.get("response")) if self._edge.active else answer


class AsyncSeam(Seam):
    async def _process_response(self, *args: Any, **kwargs: Any) -> Any:
        answer = await super()._process_response(*args, **kwargs)  # type: ignore[misc]
        return self._note(answer, kwargs.get("response")) if self._edge.active else answer


class OpenAISeam(SyncSeam):
    def _send_request(self, request: Any, *, stream: bool, **kwargs: Any) -> Any:
        plain = super()._send_request  # type: ignore[misc]
        if not self._edge.active and taping.current is None:
            return plain(request, stream=stream, **kwargs)
        forward = functools.partial(plain, stream=stream, **kwargs)
        return _sending().send(self._edge, self, request, "openai", stream, kwargs, forward)


class AsyncOpenAISeam(AsyncSeam):
    async def _send_request(self, request: Any, *, stream: bool, **kwargs: Any) -> Any:
        plain = super()._send_request  # type: ignore[misc]
        if not self._edge.active and taping.current is None:
            return await plain(request, stream=stream, **kwargs)
        forward = functools.partial(plain, stream=stream, **kwargs)
        return await _sending().send_async(self._edge, self, request, "openai", stream, kwargs, forward)


class AnthropicSeam(SyncSeam):
    def _attempt_request(self, *args: Any, **kwargs: Any) -> Any:
        plain = super()._attempt_request  # type: ignore[misc]
        if not self._edge.active and taping.current is None:
            return plain(*args, **kwargs)
        return plain.__func__(_View(self, _Sender(self)), *args, **kwargs)


class AsyncAnthropicSeam(AsyncSeam):
    async def _attempt_request(self, *args: Any, **kwargs: Any) -> Any:
        plain = super()._attempt_request  # type: ignore[misc]
        if not self._edge.active and taping.current is None:
            return await plain(*args, **kwargs)
        return await plain.__func__(_View(self, _AsyncSender(self)), *args, **kwargs)


class _View:
    """An anthropic client as `_attempt_request` sees it for one attempt: itself, with another `_client`."""

    def __init__(self, client: Any, sender: Any) -> None:
        self.__dict__.update(_viewed=client, _client=sender)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._viewed, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._viewed, name, value)


class _Sender:
    """The client's HTTP client with our `send`; everything else is its own."""

    def __init__(self, client: Any) -> None:
        self.__dict__["_for"] = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._for._client, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._for._client, name, value)

    @property  # type: ignore[misc]
    def __class__(self) -> Any:  # isinstance(client._client, httpx2.Client) holds
        return type(self._for._client)

    def send(self, request: Any, *, stream: bool = False, **kwargs: Any) -> Any:
        forward = functools.partial(self._for._client.send, stream=stream, **kwargs)
        return _sending().send(self._for._edge, self._for, request, "anthropic", stream, kwargs, forward)


class _AsyncSender(_Sender):
    async def send(self, request: Any, *, stream: bool = False, **kwargs: Any) -> Any:
        forward = functools.partial(self._for._client.send, stream=stream, **kwargs)
        return await _sending().send_async(self._for._edge, self._for, request, "anthropic", stream, kwargs, forward)


def count_as_base(ours: Any) -> None:
    """Let anthropic count our classes as its own two, which discover credentials and keep `credentials=` in copies.

    Its test is `type(client) in (Anthropic, AsyncAnthropic)`; it stays true of those and of nothing else but ours.
    """
    from anthropic import _client

    before = getattr(_client, "_is_base_client", None)
    if before is not None:
        _client._is_base_client = lambda client: before(client) or ours(client)
