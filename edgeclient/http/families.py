"""The one file that knows httpx and httpx2, and it speaks whichever family a request came from. Opens nothing.

A request tells its family by its module, so no family is imported here and one that nobody uses costs nothing.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any


def family_of(native: Any) -> Any:
    """The module (httpx or httpx2) whose request or response this is, subclasses included."""
    kind: Any = type(native)
    return sys.modules[family_name(kind)]


@lru_cache(maxsize=64)
def family_name(kind: type) -> str:
    for parent in kind.__mro__:
        root = parent.__module__.partition(".")[0]
        if root in ("httpx2", "httpx"):
            return root
    raise TypeError(f"neither an httpx nor an httpx2 object: {kind!r}")


if TYPE_CHECKING:
    import httpx
    import httpx2

    class SyncBase(httpx.BaseTransport, httpx2.BaseTransport):  # type: ignore[misc]
        """What our transports are to type checkers: either family's."""

    class AsyncBase(httpx.AsyncBaseTransport, httpx2.AsyncBaseTransport):  # type: ignore[misc]
        """The same for async ones."""

else:
    SyncBase = AsyncBase = object


def of_openai() -> str:
    """The HTTP family that the installed openai runs on."""
    return family_name(importlib.import_module("openai").DefaultHttpxClient)


@dataclass(frozen=True, slots=True)
class Base:
    """A client's base URL, taken apart once."""

    sdk: str  # "openai" | "anthropic" | "" when only the URL is known
    is_default: bool  # the SDK's own origin
    origin: str  # without its last slash
    scheme: str
    host: str
    port: int | None
    folder: str  # its path, with its last slash


def base_of(url: Any, sdk: str, default: str) -> Base:
    """Takes a family's URL apart; `default` is the SDK's own origin."""
    origin, folder = str(url).rstrip("/"), url.path.rstrip("/") + "/"
    return Base(sdk, origin == default, origin, url.scheme, url.host, url.port, folder)


def base_of_request(native: Any, defaults: dict[str, str], listed: Iterable[str]) -> Base:
    """The base URL of a request whose client is not known: an SDK's own origin, a listed one, else the root of its host."""
    family, address = family_of(native), str(native.url)
    for sdk, origin in defaults.items():
        if address.startswith(f"{origin}/"):
            return base_of(family.URL(origin), sdk, origin)
    for origin in sorted(listed, key=len, reverse=True):
        if address.startswith(f"{origin}/"):
            return base_of(family.URL(origin), "", "")
    return base_of(native.url.copy_with(path="/", query=None), "", "")


def native_error(native: Any, kind: str, why: str) -> BaseException:
    """The family's own exception of that class name; the SDKs map it and retry."""
    error: BaseException = getattr(family_of(native), kind)(why, request=native)
    return error


def lines_of(headers: Any) -> list[tuple[bytes, bytes, bytes]] | None:
    """The lines that the families' headers are made of (as written, in lower case, value), to be changed in place.

    Private, and so None where it is not there; each public way of a change looks through all lines or makes them anew.
    """
    return getattr(headers, "_list", None)


def through(client: Any, wrap: Callable[[Any], Any]) -> Any:
    """A client whose transports are wrapped, those of the environment's proxies too.

    A `transport=` argument would make the client ignore proxies and drop its connection limits.
    """
    client._transport = wrap(client._transport)
    client._mounts = {k: None if t is None else wrap(t) for k, t in client._mounts.items()}
    return client


def transport_of(way: Any, url: Any) -> Any:
    """The transport by which a client reaches a URL; a transport itself."""
    choose = getattr(way, "_transport_for_url", None)
    return way if choose is None else choose(url)
