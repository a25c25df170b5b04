"""Reasons for which a call must not go to a system, for those in `providers/` to choose from. Pure.

They are for what a system refuses, or drops without a word, and what cannot be left out without changing the answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..values import Call, Json
from .systems import Cannot

_BYTES_A_TOKEN = 4  # of English; a call is kept away only when it would be too long even so


def first_of(*reasons: Cannot) -> Cannot:
    """The first of several reasons that holds."""

    def cannot(call: Call, options: Mapping[str, str]) -> str | None:
        return next((why for reason in reasons if (why := reason(call, options)) is not None), None)

    return cannot


def several_answers(call: Call, options: Mapping[str, str]) -> str | None:
    n = call.body.get("n")
    return None if n in (None, 1) else f"it gives one answer, and n={n} was asked for"


def forced_tool(call: Call, options: Mapping[str, str]) -> str | None:
    """`tool_choice` other than "auto", in either API."""
    choice = call.body.get("tool_choice")
    kind = choice.get("type") if isinstance(choice, dict) else choice
    return None if kind in (None, "auto") else f"it does not know tool_choice, and {kind!r} was asked for"


def unknown(*names: str) -> Cannot:
    """Members that it does not know, where they ask for something."""

    def cannot(call: Call, options: Mapping[str, str]) -> str | None:
        asked = next((name for name in names if call.body.get(name)), None)
        return None if asked is None else f"it does not know {asked}"

    return cannot


def tokens_as_input(call: Call, options: Mapping[str, str]) -> str | None:
    """Embeddings of tokens instead of text."""
    given = call.body.get("input")
    while isinstance(given, list) and given:
        given = given[0]
    return "it embeds texts, not tokens" if isinstance(given, int) and call.path.endswith("/embeddings") else None


def linked_images(call: Call, options: Mapping[str, str]) -> str | None:
    linked = any(url.startswith(("http://", "https://")) for url in _images(call.body))
    return "it does not fetch images by their URL" if linked else None


def images_unseen(call: Call, options: Mapping[str, str]) -> str | None:
    """Images, where the option `vision` is "no"."""
    blind = options.get("vision") == "no" and next(_images(call.body), None) is not None
    return "its models do not see images (vision=no)" if blind else None


def too_long(call: Call, options: Mapping[str, str]) -> str | None:
    """What is certainly longer than the option `context` says, with the answer that is asked for."""
    context = options.get("context", "")
    if not context.isdecimal():
        return None
    limits = (call.body.get(name) for name in ("max_completion_tokens", "max_tokens", "max_output_tokens"))
    answer = next((limit for limit in limits if isinstance(limit, int)), 0)
    images = sum(map(len, _images(call.body)))  # as text they would be counted for far more than they cost
    tokens = max(0, call.size - images) // _BYTES_A_TOKEN + answer
    return f"about {tokens} tokens do not fit its context of {context}" if tokens > int(context) else None


def _images(body: Json) -> Iterator[str]:
    """The images in a request of any of the APIs: their URLs, which may hold the image itself; "" where there is none."""
    for part in _parts(body):
        if part.get("type") in ("image_url", "input_image"):
            said = part.get("image_url")
            yield str(said.get("url", "") if isinstance(said, dict) else said or "")
        elif part.get("type") == "image":
            source = part.get("source")
            yield str(source.get("url") or source.get("data") or "") if isinstance(source, dict) else ""


def _parts(body: Json) -> Iterator[dict[str, Any]]:
    turns = body.get("messages") or body.get("input")
    for turn in turns if isinstance(turns, list) else ():
        content = turn.get("content") if isinstance(turn, dict) else None
        for part in content if isinstance(content, list) else ():
            if isinstance(part, dict):
                yield part
