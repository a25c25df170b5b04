"""The whole `openai` module with our clients in it: `import edgeclient.openai as openai` changes nothing else.

Names that are not ours come from the installed SDK, its module-level settings (`openai.api_key = ...`) included: those are
read and set there. Module-level use (`openai.chat.completions.create(...)`) goes through our client.
"""

from __future__ import annotations

import functools
import sys
import types as _types
from typing import TYPE_CHECKING, Any

import openai as _sdk

from .default import default_edge
from .http.adoption import adopt
from .http.mirror import mirrored

if TYPE_CHECKING:
    from openai import *  # for type checkers our classes are the SDK's: nothing about them differs

    def __getattr__(name: str) -> Any: ...  # and what is not in its `__all__` is not checked

    api_key: Any  # the settings of module-level use, which may be set
    organization: Any
    project: Any
    base_url: Any
    timeout: Any
    max_retries: Any
    default_headers: Any
    default_query: Any
    http_client: Any
    api_type: Any
    api_version: Any
    azure_endpoint: Any
    azure_ad_token: Any
    azure_ad_token_provider: Any
else:
    from .http.hooks import AsyncOpenAISeam, OpenAISeam

    OpenAI = adopt(_sdk.OpenAI, OpenAISeam, __name__, default_edge)
    AsyncOpenAI = adopt(_sdk.AsyncOpenAI, AsyncOpenAISeam, __name__, default_edge)
    Client = OpenAI
    AsyncClient = AsyncOpenAI
    __all__ = list(_sdk.__all__)

    _seams = {"sync": OpenAISeam, "async": AsyncOpenAISeam}
    _own = {
        "OpenAI": OpenAI,
        "Client": OpenAI,
        "AsyncOpenAI": AsyncOpenAI,
        "AsyncClient": AsyncOpenAI,
    }

    def _load_client() -> Any:
        """Our client for module-level use, with the state and the settings of the SDK's own."""
        theirs = _sdk._load_client()
        kept = _loaded.get("client")
        if kept is not None and kept[0] is theirs:
            return kept[1]
        ours = _twins.get(type(theirs))
        if ours is None:
            ours = _twins[type(theirs)] = adopt(type(theirs), OpenAISeam, __name__, default_edge)
        client = object.__new__(ours)
        # cached resources (`chat`, ...) belong to the client that made them
        resources = {
            n for kind in ours.__mro__ for n, v in vars(kind).items() if isinstance(v, functools.cached_property)
        }
        client.__dict__.update({k: v for k, v in vars(theirs).items() if k not in resources})
        client._edge = default_edge()
        _loaded["client"] = theirs, client
        return client

    _theirs = frozenset(vars(_sdk))
    _twins: dict[type, Any] = {}
    _loaded: dict[str, Any] = {}

    class _Module(_types.ModuleType):
        """Reads and writes what is not ours in the SDK's module."""

        def __getattr__(self, name: str) -> Any:
            return mirrored(_sdk, name, _own, _seams, __name__, default_edge, _load_client)

        def __setattr__(self, name: str, value: Any) -> None:
            if name in _theirs and name not in _own and not name.startswith("__"):
                setattr(_sdk, name, value)
            else:
                super().__setattr__(name, value)

        def __delattr__(self, name: str) -> None:  # mock.patch takes an attribute away and sets it again
            if name in _theirs and name not in _own:
                delattr(_sdk, name)
            else:
                super().__delattr__(name)

        def __dir__(self) -> list[str]:
            return sorted({*dir(_sdk), *_own})

    sys.modules[__name__].__class__ = _Module
