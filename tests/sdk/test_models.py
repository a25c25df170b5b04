"""Validated answers are, member for member, what the SDK's own construction makes of the same JSON."""

from __future__ import annotations

import importlib
import pkgutil
import random
from typing import Any, Literal, get_args, get_origin

import openai
import pydantic
import pytest

from edgeclient import Edge
from edgeclient.front import models

SEED = 7


def classes(sdk: str) -> list[type[pydantic.BaseModel]]:
    """Every model class among an SDK's types, in a stable order."""
    types = importlib.import_module(f"{sdk}.types")
    found = {}
    for module in pkgutil.walk_packages(types.__path__, f"{types.__name__}."):
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, type) and issubclass(value, pydantic.BaseModel) and value.__module__.startswith(sdk):
                found[f"{value.__module__}.{value.__qualname__}"] = value
    return [found[name] for name in sorted(found)]


def made_up(kind: Any, chance: random.Random, depth: int = 0) -> Any:
    """A JSON value that fits a type, mostly."""
    kind = models._bare(kind)
    origin, args = get_origin(kind), get_args(kind)
    if chance.random() < 0.03:
        return chance.choice([None, "odd", 3, 2.5, True, [], {}, {"a": 1}, ["x"], 7.0])
    if origin is Literal:
        return chance.choice(args)
    if origin is list:
        return [made_up(args[0], chance, depth + 1) for _ in range(chance.randrange(3 if depth < 4 else 1))]
    if origin is dict:
        return {f"k{n}": made_up(args[1], chance, depth + 1) for n in range(chance.randrange(3))}
    if origin in models._UNIONS:
        return made_up(
            chance.choice([a for a in args if depth < 6 or not models._is_model(a)] or args), chance, depth + 1
        )
    if models._is_model(kind):
        return members(kind, chance, depth + 1)
    simple = {str: "text", int: 12, float: chance.choice([0.5, 2, -1.0]), bool: True, type(None): None}
    return simple.get(kind, {"any": [1, None]})


def members(model: Any, chance: random.Random, depth: int = 0) -> dict[str, Any]:
    given = {
        field.alias or name: made_up(field.annotation, chance, depth)
        for name, field in model.model_fields.items()
        if (field.is_required() and depth < 12) or (chance.random() < 0.5 and depth < 4)
    }
    if chance.random() < 0.2:
        given["x_new"] = chance.choice([1, None, "y", {"z": [1]}])
    return given


def shown(value: Any) -> Any:
    """Everything that can be seen of an answer object: classes, members, their order, extras, what counts as set."""
    if isinstance(value, pydantic.BaseModel):
        return (
            type(value),
            [(name, shown(member)) for name, member in vars(value).items()],
            shown(value.__pydantic_extra__),
            value.__pydantic_fields_set__,
            value.__pydantic_private__,
        )
    if isinstance(value, dict):
        return [(name, shown(member)) for name, member in value.items()]
    return [shown(item) for item in value] if isinstance(value, list) else (type(value), value)


@pytest.mark.parametrize("sdk", ["openai", "anthropic"])
def test_validated_answers_are_those_that_the_sdk_constructs(sdk: str, request: pytest.FixtureRequest) -> None:
    construct = importlib.import_module(f"{sdk}._models").construct_type
    chance = random.Random(SEED)
    everything = classes(sdk)
    regular = [model for model in everything if models._is_regular(model)]
    assert len(regular) > len(everything) / 2
    chosen = regular if request.config.getoption("--slow") else chance.sample(regular, 150)
    compared = 0
    for model in chosen:
        for _ in range(12):
            data = members(model, chance)
            ours = models.validated(model, data)
            if ours is not None:
                compared += 1
                assert shown(ours) == shown(construct(type_=model, value=data)), (model, data)
    assert compared > 3 * len(chosen)


def test_the_common_answers_are_regular() -> None:
    from openai.types import CreateEmbeddingResponse
    from openai.types.chat import ChatCompletion, ChatCompletionChunk

    assert all(models._is_regular(model) for model in (ChatCompletion, ChatCompletionChunk, CreateEmbeddingResponse))


def irregular() -> list[Any]:
    import datetime

    from openai import BaseModel

    class Dated(BaseModel):
        when: datetime.datetime

    class Unclear(BaseModel):
        which: Plain | Other

    class Defaulted(BaseModel):
        n: int | None = 3

    class Checked(BaseModel):
        n: int

        @pydantic.field_validator("n")
        @classmethod
        def _more(cls, n: int) -> int:
            return n + 1

    class Strict(BaseModel):
        model_config = pydantic.ConfigDict(str_strip_whitespace=True)
        s: str

    class Foreign(pydantic.BaseModel):
        s: str

    return [Dated, Unclear, Defaulted, Checked, Strict, Foreign, int, list[Plain], None]


def _plain_classes() -> tuple[Any, Any]:
    from openai import BaseModel

    class Plain(BaseModel):
        n: int

    class Other(BaseModel):
        n: int | None = None

    return Plain, Other


Plain, Other = _plain_classes()


@pytest.mark.parametrize("kind", irregular(), ids=str)
def test_a_class_that_does_more_than_hold_json_is_left_to_the_sdk(kind: Any) -> None:
    assert models.validated(kind, {"n": 1, "s": " s ", "when": "2026-01-01", "which": {"n": 1}}) is None


@pytest.mark.parametrize("data", [None, [], "text", [{"n": 1}], {"n": "1"}, {"n": True}, {}])
def test_json_that_is_not_what_the_class_says_is_left_to_the_sdk(data: Any) -> None:
    assert models.validated(Plain, data) is None


def test_an_unknown_member_is_kept_and_not_set() -> None:
    answer = models.validated(Plain, {"n": 1, "new": 2})
    assert (answer.n, answer.new, answer.model_fields_set) == (1, 2, {"n"})


@pytest.mark.parametrize("strict", [False, True])
def test_a_client_of_an_active_edge_gives_what_the_plain_client_gives(strict: bool) -> None:
    """Also where the SDK is asked to validate itself, leniently: there unknown members count as set."""
    plain = openai.OpenAI(api_key="k", _strict_response_validation=strict)
    ours = Edge(notes=True).OpenAI(api_key="k", _strict_response_validation=strict)
    data = {"id": "m", "created": 1, "object": "model", "owned_by": "o", "new": 1}
    asked: Any = {"data": data, "cast_to": openai.types.Model, "response": None}
    assert shown(ours._process_response_data(**asked)) == shown(plain._process_response_data(**asked))


def test_only_clients_of_an_active_edge_validate(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = object()
    monkeypatch.setattr(models, "validated", lambda cast_to, data: answer)
    asked: Any = {"data": {"id": "m"}, "cast_to": openai.types.Model, "response": None}
    assert Edge(notes=True).OpenAI(api_key="k")._process_response_data(**asked) is answer
    assert isinstance(Edge().OpenAI(api_key="k")._process_response_data(**asked), openai.types.Model)
