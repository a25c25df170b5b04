"""Which route a model takes and which endpoints may take a call. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..values import Endpoint, Route
from .catalogue import Kind, kind_of


def route_of(model: str, said: Mapping[str, str]) -> Route:
    """The route of a model: what the settings say, else small models to inference and all others to a gateway.

    A model that the catalogue does not know is taken for a foundation model: new ones appear weekly, and a gateway
    passes them on.
    """
    if model in said:
        return Route(said[model])
    return Route.INFERENCE if kind_of(model) is Kind.SMALL else Route.GATEWAY


def candidates(endpoints: Sequence[Endpoint], *, sdk: str, model: str, route: Route) -> tuple[Endpoint, ...]:
    """The endpoints that speak this SDK's API and serve this model, in their configured order."""
    return tuple(
        endpoint
        for endpoint in endpoints
        if endpoint.base(sdk)
        and (model in endpoint.models if endpoint.models is not None else endpoint.route in (None, route))
    )
