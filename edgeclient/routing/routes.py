"""Which route a model takes and which endpoints may take a call. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from ..values import ORIGIN, Endpoint, Route
from .catalogue import Kind
from .knowledge import Knowledge


class Rules:
    """The route of each model: what the settings say, else small models to inference and all others to a gateway.

    Names come before patterns (`"llama-*"`, as in file names), and patterns in their order. A model that the catalogue does
    not know is taken for a foundation model: new ones appear weekly, and a gateway passes them on.
    """

    _MODELS = 4096  # kept answers; model names come from outside

    def __init__(self, said: Mapping[str, str], known: Knowledge) -> None:
        self._said, self._known = said, known
        self._patterns = tuple((name, said[name]) for name in said if is_pattern(name))
        self._kept: dict[str, Route] = {}

    def of(self, model: str) -> Route:
        """The route of a model."""
        found = self._kept.get(model)
        if found is None:
            if len(self._kept) >= self._MODELS:
                self._kept.clear()
            small = self._known.kind_of(model) is Kind.SMALL
            found = self._kept[model] = self.said(model) or (Route.INFERENCE if small else Route.GATEWAY)
        return found

    def said(self, model: str) -> Route | None:
        """What the settings say of a model."""
        if model in self._said:
            return Route(self._said[model])
        return next((Route(route) for pattern, route in self._patterns if fnmatchcase(model, pattern)), None)


def is_pattern(name: str) -> bool:
    """True for a name that stands for several."""
    return any(sign in name for sign in "*?[")


class Candidates:
    """The endpoints that may take a call. The same question gets the same tuple, by which orders of it are kept."""

    _KINDS = 1024  # kept answers; model names come from outside

    def __init__(self, endpoints: Sequence[Endpoint], *, origin: str = "last", regions: Sequence[str] = ()) -> None:
        allowed = {region.lower() for region in regions}
        self._endpoints = tuple(e for e in endpoints if not allowed or e.region.lower() in allowed)
        self.products = any(e.product is not None for e in self._endpoints)  # some may say no
        self.origin = origin if not allowed or ORIGIN.name in allowed else "never"  # where the client's own stands
        self._tail = (ORIGIN,) if self.origin == "candidate" else ()
        self._kept: dict[tuple[str, str, Route, str], tuple[Endpoint, ...]] = {}

    def of(self, sdk: str, model: str, route: Route, residency: str = "") -> tuple[Endpoint, ...]:
        """Those that speak this SDK's API and serve this model, in their configured order.

        Where the client's own origin is a candidate like them it stands last, unless there is nothing to choose.
        `residency`: the region that the SDK's client was made for; no other will do.
        """
        kind = (sdk, model, route, residency)
        found = self._kept.get(kind)
        if found is None:
            if len(self._kept) >= self._KINDS:
                self._kept.clear()
            there = (e for e in self._endpoints if not residency or e.region.lower() == residency.lower())
            serving = tuple(e for e in there if e.base(sdk) and _serves(e, sdk, model, route))
            found = self._kept[kind] = (*serving, *self._tail) if serving else ()
        return found


def _serves(endpoint: Endpoint, sdk: str, model: str, route: Route) -> bool:
    if endpoint.models is not None:  # said by the user, who may know better than the catalogue what its route is
        return model in endpoint.models
    return endpoint.route in (None, route) and endpoint.name_there(model, sdk) is not None
