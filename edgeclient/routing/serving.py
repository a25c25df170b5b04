"""Names at servers of one's own, which have one model under a name that only its owner knows. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from . import families
from .systems import Naming


def served_as(otherwise: Naming | None = None) -> Naming:
    """The name in the option `model`, for that name and for all others of its family; without it what `otherwise` knows."""

    def naming(model: str, sdk: str, options: Mapping[str, str]) -> str | None:
        served = options.get("model", "")
        if not served:
            return None if otherwise is None else otherwise(model, sdk, options)
        return served if model == served or _alike(model, served) else None

    return naming


def _alike(model: str, served: str) -> bool:
    """True for two names of one family: a server of one's own may be quantised, and its owner knows."""
    family = families.find(model)
    return isinstance(family, families.Family) and family is families.find(served)
