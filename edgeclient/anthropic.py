"""The whole `anthropic` module with our clients in it: `import edgeclient.anthropic as anthropic` changes nothing else."""

from __future__ import annotations

import sys
import types as _types
from typing import TYPE_CHECKING, Any

import anthropic as _sdk

from .default import default_edge
from .http.adoption import adopt, stands_for
from .http.mirror import mirrored

if TYPE_CHECKING:
    from anthropic import *  # for type checkers our classes are the SDK's: nothing about them differs

    def __getattr__(name: str) -> Any: ...  # and what is not in its `__all__` is not checked
else:
    from .http.hooks import AnthropicSeam, AsyncAnthropicSeam, count_as_base

    _base_classes = _sdk.Anthropic, _sdk.AsyncAnthropic  # as they are now: a test may put other classes in their place
    count_as_base(lambda client: stands_for(client, *_base_classes))

    Anthropic = adopt(_sdk.Anthropic, AnthropicSeam, __name__, default_edge)
    AsyncAnthropic = adopt(_sdk.AsyncAnthropic, AsyncAnthropicSeam, __name__, default_edge)
    Client = Anthropic
    AsyncClient = AsyncAnthropic
    __all__ = list(_sdk.__all__)

    _seams = {"sync": AnthropicSeam, "async": AsyncAnthropicSeam}
    _own = {
        "Anthropic": Anthropic,
        "Client": Anthropic,
        "AsyncAnthropic": AsyncAnthropic,
        "AsyncClient": AsyncAnthropic,
    }

    class _Module(_types.ModuleType):
        """Reads what is not ours in the SDK's module."""

        def __getattr__(self, name: str) -> Any:
            return mirrored(_sdk, name, _own, _seams, __name__, default_edge, None)

        def __dir__(self) -> list[str]:
            return sorted({*dir(_sdk), *_own})

    sys.modules[__name__].__class__ = _Module
