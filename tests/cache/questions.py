"""Questions of all dialects made by chance, and what can be done to one: a change that asks something else, or none.

A question is described as in golden_keys.json. A change gives a new one, and leaves the old one as it was.
"""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Callable
from typing import Any

Question = dict[str, Any]
Change = Callable[[Question, random.Random], "Question | None"]  # None: it does not fit this question

_WORDS = ("how", "far", "is", "it", "Frankfurt", "köln", "नमस्ते", "🧭", "a\nb", '"', "\\", "0", "null", "")
_PARAMETERS: dict[str, tuple[Any, ...]] = {
    "temperature": (0, 0.5, 1.0), "top_p": (0.1, 1), "seed": (1, 2**53), "stop": ("x", ["x"], ["x", "y"]), "n": (1, 2),
    "metadata": ({"a": "1"}, {"a": {"b": [1, 2]}}), "user": ("u", "v"), "logprobs": (True, False),
}  # fmt: skip


# -- questions


def question(rng: random.Random) -> Question:
    """Any question: dialect, caller, endpoint, headers and body by chance."""
    path, sdk, body = rng.choice((_chat, _response, _embeddings, _message))(rng)
    for name in rng.sample(sorted(_PARAMETERS), rng.randrange(4)):
        body[name] = rng.choice(_PARAMETERS[name])
    headers = [["x-api-key" if sdk == "anthropic" else "authorization", f"k{rng.randrange(10**9)}"]]
    for name in ("openai-organization", "openai-project", "openai-beta", "anthropic-beta", "anthropic-version"):
        if name.startswith(sdk) and rng.random() < 0.5:
            headers.append([name, f"v{rng.randrange(100)}"])
    host = "anthropic" if sdk == "anthropic" else "openai"
    return {
        "sdk": sdk, "origin": f"https://api.{host}.com/v1", "path": path, "query": "", "headers": headers, "body": body,
        "default_origin": True,
    }  # fmt: skip


def _text(rng: random.Random) -> str:
    return " ".join(rng.choices(_WORDS, k=rng.randrange(1, 8)))


def _turns(rng: random.Random) -> list[Any]:
    roles = ("user", "assistant")
    return [{"role": roles[n % 2], "content": _text(rng)} for n in range(rng.randrange(1, 6))]


def _schema(rng: random.Random) -> Any:
    names = {f"p{rng.randrange(9)}" for _ in range(3)}
    return {"type": "object", "properties": {name: {"type": "string"} for name in sorted(names)}}


def _chat(rng: random.Random) -> tuple[str, str, dict[str, Any]]:
    body = {"model": rng.choice(("gpt-4o", "mine")), "messages": _turns(rng)}
    if rng.random() < 0.5:
        body["tools"] = [
            {"type": "function", "function": {"name": f"f{n}", "parameters": _schema(rng)}}
            for n in range(rng.randrange(1, 4))
        ]
    return "/chat/completions", "openai", body


def _response(rng: random.Random) -> tuple[str, str, dict[str, Any]]:
    return "/responses", "openai", {"model": "gpt-4o", "input": _turns(rng), "instructions": _text(rng)}


def _embeddings(rng: random.Random) -> tuple[str, str, dict[str, Any]]:
    texts = [_text(rng) for _ in range(rng.randrange(1, 4))]
    return "/embeddings", "openai", {"model": "text-embedding-3-small", "input": texts}


def _message(rng: random.Random) -> tuple[str, str, dict[str, Any]]:
    body = {"model": "claude-sonnet-4-5", "max_tokens": rng.randrange(1, 99), "messages": _turns(rng)}
    if rng.random() < 0.5:
        body["tools"] = [{"name": f"f{n}", "input_schema": _schema(rng)} for n in range(rng.randrange(1, 3))]
    return "/v1/messages", "anthropic", body


# -- changes that ask something else


def other_credential(asked: Question, rng: random.Random) -> Question:
    (name, said), *rest = asked["headers"]
    return {**asked, "headers": [[name, _other(said, rng)], *rest]}


def other_place_of_the_credential(asked: Question, rng: random.Random) -> Question:
    (name, said), *rest = asked["headers"]
    other = rng.choice([n for n in ("authorization", "x-api-key", "api-key", "x-goog-api-key") if n != name])
    return {**asked, "headers": [[other, said], *rest]}


def second_credential(asked: Question, rng: random.Random) -> Question:
    return {**asked, "headers": [*asked["headers"], ["x-goog-api-key", f"g{rng.randrange(99)}"]]}


def other_header(asked: Question, rng: random.Random) -> Question | None:
    """One value: of the organisation, the project, a beta, the version."""
    if len(asked["headers"]) < 2:
        return None
    at = rng.randrange(1, len(asked["headers"]))
    name, said = asked["headers"][at]
    return {**asked, "headers": _with(asked["headers"], at, [name, _other(said, rng)])}


def one_header_more(asked: Question, rng: random.Random) -> Question:
    name = rng.choice(("openai-organization", "openai-project", "openai-beta", "anthropic-beta", "x-mine"))
    return {**asked, "headers": [*asked["headers"], [name, f"more{rng.randrange(99)}"]]}


def one_header_less(asked: Question, rng: random.Random) -> Question | None:
    at = rng.randrange(len(asked["headers"]))
    return {**asked, "headers": _without(asked["headers"], at)} if at else None


def value_of_another_header(asked: Question, rng: random.Random) -> Question | None:
    if len(asked["headers"]) < 2:
        return None
    at = rng.randrange(1, len(asked["headers"]))
    name, said = asked["headers"][at]
    return {**asked, "headers": _with(asked["headers"], at, [f"{name}x", said])}


def other_origin(asked: Question, rng: random.Random) -> Question:
    origin: str = asked["origin"]
    others = (origin.replace("https", "http"), origin.replace(".com", f".com:{rng.randrange(1, 9999)}"), f"{origin}/eu")
    return {**asked, "origin": rng.choice(others)}


def other_path(asked: Question, rng: random.Random) -> Question:
    return {**asked, "path": f"/{rng.choice(('eu', 'v2', 'deployments/' + str(rng.randrange(99))))}{asked['path']}"}


def other_query(asked: Question, rng: random.Random) -> Question:
    return {**asked, "query": f"api-version={rng.randrange(9999)}"}


def other_model(asked: Question, rng: random.Random) -> Question:
    return _asks(asked, model=_other(asked["body"]["model"], rng))


def other_tool(asked: Question, rng: random.Random) -> Question | None:
    """One word somewhere in one tool: its name, a parameter, a type."""
    tools = asked["body"].get("tools")
    return _asks(asked, tools=_one_changed(tools, rng)) if tools else None


def one_tool_more(asked: Question, rng: random.Random) -> Question:
    return _asks(asked, tools=[*asked["body"].get("tools", []), {"name": f"more{rng.randrange(99)}"}])


def one_tool_less(asked: Question, rng: random.Random) -> Question | None:
    tools = asked["body"].get("tools")
    return _asks(asked, tools=_without(tools, rng.randrange(len(tools)))) if tools else None


def other_message(asked: Question, rng: random.Random) -> Question:
    """One word somewhere in one message or text: what it says, or whose it is."""
    name = _where(asked)
    return _asks(asked, **{name: _one_changed(asked["body"][name], rng)})


def one_message_less(asked: Question, rng: random.Random) -> Question:
    name = _where(asked)
    return _asks(asked, **{name: _without(asked["body"][name], rng.randrange(len(asked["body"][name])))})


def messages_in_another_order(asked: Question, rng: random.Random) -> Question | None:
    """The order of members means nothing, the order of a list does."""
    name = _where(asked)
    turned = asked["body"][name][::-1]
    return _asks(asked, **{name: turned}) if turned != asked["body"][name] else None


def other_parameter(asked: Question, rng: random.Random) -> Question | None:
    """A value; or only its type: 1 is not "1", true or [1]."""
    found = [name for name in asked["body"] if name in _PARAMETERS]
    if not found:
        return None
    name = rng.choice(found)
    said = asked["body"][name]
    return _asks(asked, **{name: rng.choice((_one_changed(said, rng), [said], {"x": said}, None))})


def one_parameter_more(asked: Question, rng: random.Random) -> Question:
    return _asks(asked, **{f"more{rng.randrange(99)}": rng.choice((None, 0, False, "", [], {}))})


def one_parameter_less(asked: Question, rng: random.Random) -> Question:
    body = dict(asked["body"])
    del body[rng.choice(sorted(body))]
    return {**asked, "body": body}


def other_spelling(asked: Question, rng: random.Random) -> Question | None:
    """What looks the same and is written with other characters is another text: models read tokens, not pictures."""
    name = _where(asked)
    texts = asked["body"][name]
    at = rng.randrange(len(texts))
    said = texts[at] if isinstance(texts[at], str) else texts[at]["content"]
    spelt = rng.choice((unicodedata.normalize("NFD", said), f"{said} ", said.upper()))
    if spelt == said:
        return None
    changed = spelt if isinstance(texts[at], str) else {**texts[at], "content": spelt}
    return _asks(asked, **{name: _with(texts, at, changed)})


OTHERS: tuple[Change, ...] = (
    other_credential, other_place_of_the_credential, second_credential, other_header, one_header_more, one_header_less,
    value_of_another_header, other_origin, other_path, other_query, other_model, other_tool, one_tool_more, one_tool_less,
    other_message, one_message_less, messages_in_another_order, other_parameter, one_parameter_more, one_parameter_less,
    other_spelling,
)  # fmt: skip


# -- changes that ask the same


def members_in_another_order(asked: Question, rng: random.Random) -> Question:
    return {**asked, "body": _shuffled(asked["body"], rng)}


def headers_in_another_order(asked: Question, rng: random.Random) -> Question:
    return {**asked, "headers": rng.sample(asked["headers"], len(asked["headers"]))}


def other_telemetry(asked: Question, rng: random.Random) -> Question:
    name = rng.choice(("x-stainless-retry-count", "traceparent", "user-agent", "idempotency-key", "edge-route-hint"))
    return {**asked, "headers": [*asked["headers"], [name, str(rng.randrange(99))]]}


def as_a_stream(asked: Question, rng: random.Random) -> Question:
    return _asks(asked, stream=rng.random() < 0.5, stream_options={"include_usage": True})


SAME: tuple[Change, ...] = (members_in_another_order, headers_in_another_order, other_telemetry, as_a_stream)


# -- parts of them


def _asks(asked: Question, **changed: Any) -> Question:
    return {**asked, "body": {**asked["body"], **changed}}


def _where(asked: Question) -> str:
    return "messages" if "messages" in asked["body"] else "input"


def _with(items: list[Any], at: int, item: Any) -> list[Any]:
    return [*items[:at], item, *items[at + 1 :]]


def _without(items: list[Any], at: int) -> list[Any]:
    return [*items[:at], *items[at + 1 :]]


def _other(said: str, rng: random.Random) -> str:
    return rng.choice(
        (f"{said}{rng.randrange(10)}", f"{rng.randrange(10)}{said}", said.upper() + ".", f"{said},{said}")
    )


def _one_changed(value: Any, rng: random.Random) -> Any:
    """The value with one leaf of it changed."""
    if isinstance(value, dict) and value:
        name = rng.choice(sorted(value))
        return {**value, name: _one_changed(value[name], rng)}
    if isinstance(value, list) and value:
        at = rng.randrange(len(value))
        return _with(value, at, _one_changed(value[at], rng))
    if isinstance(value, bool):
        return rng.choice((not value, int(value), str(value).lower()))
    if isinstance(value, (int, float)):
        return rng.choice((value + 1, str(value), -value - 1))
    return _other(value, rng) if isinstance(value, str) else "x"


def _shuffled(value: Any, rng: random.Random) -> Any:
    """The same JSON with the members of each object in another order."""
    if isinstance(value, dict):
        return {name: _shuffled(value[name], rng) for name in rng.sample(sorted(value), len(value))}
    return [_shuffled(inner, rng) for inner in value] if isinstance(value, list) else value


# -- changes of what is said about the cache: the namespace, and the caller's own name for the question

NAMESPACE, NAME = "edge-cache-namespace", "edge-cache-key"


def scoped(asked: Question, rng: random.Random, *, named: bool) -> Question:
    """The question in a namespace or in none, and under a name of the caller's or under none."""
    said = [[NAMESPACE, f"n{rng.randrange(9)}"]] if rng.random() < 0.7 else []
    return {**asked, "headers": [*asked["headers"], *said, *([[NAME, f"q{rng.randrange(9)}"]] if named else [])]}


def other_namespace(asked: Question, rng: random.Random) -> Question:
    return _says(asked, NAMESPACE, _other(_said(asked, NAMESPACE), rng))


def no_namespace(asked: Question, rng: random.Random) -> Question | None:
    return _says(asked, NAMESPACE, "") if _said(asked, NAMESPACE) else None


def other_name(asked: Question, rng: random.Random) -> Question:
    return _says(asked, NAME, _other(_said(asked, NAME), rng))


def name_and_namespace_swapped(asked: Question, rng: random.Random) -> Question | None:
    name, namespace = _said(asked, NAME), _said(asked, NAMESPACE)
    return _says(_says(asked, NAME, namespace), NAMESPACE, name) if name != namespace else None


def namespace_in_the_name(asked: Question, rng: random.Random) -> Question | None:
    namespace = _said(asked, NAMESPACE)
    both = namespace + rng.choice(("", "/", ",", '","')) + _said(asked, NAME)
    return _says(_says(asked, NAME, both), NAMESPACE, "") if namespace else None


OTHER_SCOPES: tuple[Change, ...] = (
    other_namespace, no_namespace, other_name, name_and_namespace_swapped, namespace_in_the_name,
)  # fmt: skip


def other_lifetime_and_tags(asked: Question, rng: random.Random) -> Question:
    return _says(_says(asked, "edge-cache-ttl", str(rng.randrange(1, 99))), "edge-cache-tag", f"t{rng.randrange(9)}")


def _said(asked: Question, name: str) -> str:
    return next((said for header, said in asked["headers"] if header == name), "")


def _says(asked: Question, name: str, said: str) -> Question:
    rest = [header for header in asked["headers"] if header[0] != name]
    return {**asked, "headers": [*rest, [name, said]] if said else rest}
