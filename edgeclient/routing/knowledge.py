"""What one edge knows of models: the catalogue, what its settings say on top, and the ends it was told since. No I/O.

Settings come first, then what the provider itself told (`shutdown_date`), then the data file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import SettingsError
from ..values import Call, Endpoint, Route
from . import families, lifecycle
from .catalogue import Kind, kind_of
from .families import Ambiguous, Family
from .lifecycle import End, Lifecycle, Stage

if TYPE_CHECKING:
    from ..settings import Model

_KEPT = 1024  # states; model names come from outside


class Knowledge:
    """Thread-safe: what is kept is only ever replaced whole. Raises SettingsError for a family that nobody knows."""

    def __init__(self, said: Mapping[str, Model]) -> None:
        self._said = said
        self._families = {name: _family(name, model.family) for name, model in said.items() if model.family}
        self._told: Mapping[tuple[str, str], End] = {}
        self._states: dict[tuple[str, str, int], Lifecycle] = {}

    def kind_of(self, model: str) -> Kind:
        """The kind that the settings say, or that of the family they say, or the catalogue's."""
        said = self._said.get(model)
        if said is not None and said.kind is not None:
            return Kind(said.kind)
        return self._families[model].kind if model in self._families else kind_of(model)

    def family_of(self, model: str) -> Family | Ambiguous | None:
        """As `families.find`, but the settings come first."""
        return self._families.get(model) or families.find(model)

    def state(self, model: str, provider: str, wall_s: float) -> Lifecycle:
        """The state of a name now. `provider` "" where it is not known; an own end of the settings holds everywhere."""
        asked = (model, provider, int(wall_s // 86400))
        found = self._states.get(asked)
        if found is None:
            if len(self._states) >= _KEPT:
                self._states = {}
            found = self._states[asked] = lifecycle.at(self.ends_of(model, provider), lifecycle.day_of(wall_s))
        return found

    def ends_of(self, model: str, provider: str = "") -> tuple[End, ...]:
        """The ends that count for a name, from the first source that knows one."""
        said = self._said.get(model)
        if said is not None and said.ends is not None:
            return (End("settings", said.ends, said.replacement or None, ("your settings",)),)
        told = self._told.get((provider, model))
        if told is not None:
            return (told,)
        return (lifecycle.ends_of(model, provider) if provider else ()) or lifecycle.ends_of(model)

    def has_price(self, model: str) -> bool:
        """True where the settings say what this model's tokens cost."""
        return model in self._said and self.cost_of(model, 0, 0) is not None

    def cost_of(self, model: str, input_tokens: int, output_tokens: int) -> float | None:
        """What these tokens cost at the prices of the settings; None where one of the two is not said."""
        said = self._said.get(model)
        if said is None or said.input_per_mtok is None or said.output_per_mtok is None:
            return None
        return (input_tokens * said.input_per_mtok + output_tokens * said.output_per_mtok) / 1e6

    def learn(self, provider: str, answer: bytes) -> None:
        """Take the ends over that a provider's list of models tells. It tells none of most: that takes nothing away."""
        ends = lifecycle.told_by(answer, provider)
        if not ends:
            return
        self._told = {**self._told, **{(provider, model): end for model, end in ends.items()}}
        self._states = {}


def _family(model: str, name: str) -> Family:
    found = families.find(name)
    if isinstance(found, Ambiguous):
        raise SettingsError(f"models.{model}.family is {name!r}; say which: {', '.join(found.meanings)}")
    if found is None:
        raise SettingsError(f"models.{model}.family is {name!r}, which is no family; `edgeclient models` lists them")
    return found


@dataclass(frozen=True, slots=True)
class Named:
    """A name of a model that is asked for. `setting`: what says it; "" for the call itself."""

    model: str
    provider: str = ""  # whose ends count; "" where it is not known
    setting: str = ""


def renamed(endpoints: Sequence[Endpoint]) -> Mapping[str, tuple[Named, ...]]:
    """By asked-for name: what endpoints are asked for in its place, where their `models` says another name."""
    found: dict[str, tuple[Named, ...]] = {}
    for endpoint in endpoints:
        provider = endpoint.product.name if endpoint.product is not None else ""
        for asked, there in (endpoint.models or {}).items():
            if there != asked:
                said = Named(there, provider, f"endpoints.{endpoint.name}.models.{asked}")
                found[asked] = (*found.get(asked, ()), said)
    return found


def names_of(call: Call, elsewhere: Mapping[str, tuple[Named, ...]]) -> Iterator[Named]:
    """All names that a call may come to ask for: its own, the first of its cascade, and those of endpoints (`elsewhere`)."""
    yield Named(call.model, call.provider)
    if call.first_model:
        yield Named(call.first_model, "", f"cascade.{call.model}.first")
        yield from elsewhere.get(call.first_model, ())
    if call.route is not Route.DIRECT:
        yield from elsewhere.get(call.model, ())


def news_of(model: str, state: Lifecycle, setting: str = "") -> str:
    """One sentence about the end of a name, with what to do: for a log or an error. `setting`: what says the name, if any."""
    end = state.end
    assert end is not None
    over = state.stage is Stage.RETIRED
    at = "by" if end.provider == "settings" else "at"
    said = f"{model} {'was retired' if over else 'ends'} {at} {end.provider} on {end.day}"
    if not over:
        said += f", in {state.days_left} day{'s' if state.days_left != 1 else ''}"
    if setting:
        return (
            f"{said} (source: {'; '.join(end.sources)}); {setting} says it: change it to {end.replacement or 'another'}"
        )
    remedy = f"ask for {end.replacement}" if end.replacement else "ask for another model (none is recommended)"
    new = end.replacement or "..."
    swap = f"or set aliases={{{model!r}: {new!r}}} to have it swapped"
    return f"{said} (source: {'; '.join(end.sources)}); {remedy}, {swap}"
