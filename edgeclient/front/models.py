"""Answer objects at a twentieth of the price: validated where that gives what the SDKs' own construction would give.

The SDKs construct their models field by field in Python. Where a class is regular (plain JSON types, nothing that transforms
a value, unions whose members cannot be taken for each other), pydantic's strict validation makes the same object in C, or
refuses; then the SDK constructs, as it does for every other class. One difference is known and accepted: an integer beyond
2**53 where a float is expected becomes that float.
"""

from __future__ import annotations

import sys
import types
import typing
from functools import lru_cache
from typing import Any, Literal, Union, get_args, get_origin

import pydantic
from pydantic_core import PydanticUndefined

_SDKS = ("openai._models", "anthropic._models")
_SCALARS = (str, int, float, bool, type(None))
_HARMLESS = {"extra", "defer_build", "protected_namespaces", "arbitrary_types_allowed"}  # of a model's configuration
_UNIONS = (Union, getattr(types, "UnionType", Union))
_ALIASES = tuple(
    kind for name in ("typing", "typing_extensions") if (kind := getattr(sys.modules.get(name), "TypeAliasType", None))
)


def validated(cast_to: Any, data: Any) -> Any:
    """The object that the SDK would construct of parsed JSON; None when the SDK has to do it."""
    if type(data) is not dict:
        return None
    try:
        if not _is_regular(cast_to):
            return None
        return _settle(cast_to.__pydantic_validator__.validate_python(data, strict=True))
    except Exception:  # a ValidationError: not what the class says; or a class that is not what it seems
        return None


def _settle(model: Any) -> Any:
    """Extra members are not "set" fields in what the SDKs construct; in what they validate (unions) they are."""
    if model.__pydantic_extra__:
        model.__pydantic_fields_set__.difference_update(model.__pydantic_extra__)
    kind: Any = type(model)
    for name in _constructed(kind):
        _settle_all(model.__dict__[name])
    return model


def _settle_all(value: Any) -> None:
    if isinstance(value, pydantic.BaseModel):
        _settle(value)
    elif isinstance(value, (list, dict)):
        for item in value if isinstance(value, list) else value.values():
            _settle_all(item)


@lru_cache(maxsize=1024)
def _constructed(model: Any) -> tuple[str, ...]:
    """The fields whose values hold models that the SDK constructs, not through a union."""
    return tuple(name for name, field in model.model_fields.items() if _holds_models(field.annotation))


def _holds_models(kind: Any) -> bool:
    kind = _bare(kind)
    if get_origin(kind) in (list, dict):
        return any(_holds_models(arg) for arg in get_args(kind))
    return _is_model(kind)


@lru_cache(maxsize=1024)
def _is_regular(kind: Any) -> bool:
    """True for a model class of an SDK that strict validation fills as the SDK's construction does."""
    if not _is_model(kind):
        return False
    kind.model_rebuild()  # SDKs put the building of their validators off
    return _regular_model(kind, set())


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, pydantic.BaseModel)


def _regular_model(model: Any, seen: set[Any]) -> bool:
    if model in seen:
        return True  # recursive: decided by its other parts
    seen.add(model)
    says = model.__pydantic_decorators__
    own = model.__pydantic_custom_init__ or model.__pydantic_post_init__ or model.__private_attributes__
    return (
        getattr(model.construct, "__func__", model.construct).__module__ in _SDKS
        and not own
        and not (says.validators or says.field_validators or says.root_validators or says.model_validators)
        and model.model_config.get("extra") == "allow"
        and model.model_config.keys() <= _HARMLESS
        and not model.__pydantic_generic_metadata__["origin"]
        and not any("__pydantic_extra__" in vars(k).get("__annotations__", {}) for k in _sdk_classes(model))
        and all(_regular_field(field, seen) for field in model.model_fields.values())
    )


def _sdk_classes(model: Any) -> list[Any]:
    return [kind for kind in model.__mro__ if kind is not pydantic.BaseModel and kind is not object]


def _regular_field(field: Any, seen: set[Any]) -> bool:
    default = field.default
    plain_default = default is PydanticUndefined or type(default) in _SCALARS
    null_means_default = default is not PydanticUndefined and default is not None and _takes_null(field.annotation)
    return (
        plain_default
        and not null_means_default
        and field.default_factory is None
        and field.alias is None  # the SDKs keep such a member among the unknown ones too
        and all(type(said).__name__ == "PropertyInfo" for said in field.metadata)
        and _regular(field.annotation, seen)
    )


def _regular(kind: Any, seen: set[Any]) -> bool:
    kind = _bare(kind)
    origin, args = get_origin(kind), get_args(kind)
    if kind in _SCALARS or kind in (object, Any, list, dict):
        return True
    if origin is Literal:
        return all(type(arg) is str for arg in args)
    if origin is list:
        return _regular(args[0], seen)
    if origin is dict:
        return args[0] in (str, object) and _regular(args[1], seen)
    if origin in _UNIONS:
        return all(_regular(arg, seen) for arg in args) and _told_apart([_bare(arg) for arg in args])
    return _is_model(kind) and _regular_model(kind, seen)


def _told_apart(members: list[Any]) -> bool:
    """True when no JSON value could be taken for two members: how lenient a validation is does not matter then."""
    lists = [m for m in members if m is list or get_origin(m) is list]
    maps = [m for m in members if m is dict or get_origin(m) is dict or _is_model(m)]
    if any(m in (object, Any) or get_origin(m) in _UNIONS for m in members) or len(lists) > 1:
        return False
    return len(maps) < 2 or _tagged(maps)


def _tagged(models: list[Any]) -> bool:
    """True when one required field of all these models has literal values that differ from class to class."""
    if not all(_is_model(m) for m in models):
        return False
    for name in models[0].model_fields:
        tags = [_tags(m.model_fields.get(name)) for m in models]
        if all(tags) and len(set().union(*tags)) == sum(map(len, tags)):
            return True
    return False


def _tags(field: Any) -> frozenset[Any]:
    if field is None or not field.is_required() or get_origin(field.annotation) is not Literal:
        return frozenset()
    return frozenset(get_args(field.annotation))


def _takes_null(kind: Any) -> bool:
    kind = _bare(kind)
    return kind in (object, Any, type(None)) or (get_origin(kind) in _UNIONS and any(map(_takes_null, get_args(kind))))


def _bare(kind: Any) -> Any:
    """A type without its alias and its annotations."""
    while True:
        if _ALIASES and isinstance(kind, _ALIASES):
            kind = kind.__value__
        elif get_origin(kind) is typing.Annotated:
            kind = get_args(kind)[0]
        else:
            return kind
