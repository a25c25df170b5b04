"""What a request asks of the lab's model, parsed once, and the text that answers it.  Pure, no I/O.

The text depends on the question alone, so a stream and a plain answer to the same question agree.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

Json = dict[str, object]


class Refusal(Exception):
    """The request is answered with this status and an error body."""

    def __init__(self, status: int, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.status, self.param = status, param


@dataclass(frozen=True, slots=True)
class Ask:
    """What the three text APIs have in common, parsed."""

    model: str
    question: str
    prompt_tokens: int
    stream: bool
    n: int
    include_usage: bool
    max_tokens: int | None

    def pieces(self, choice: int = 0) -> list[str]:
        """The answer's tokens: words with the space before them."""
        words = reply_text(self.question, choice).split(" ")
        pieces = [word if i == 0 else f" {word}" for i, word in enumerate(words)]
        return pieces[: self.max_tokens]

    def is_short(self, choice: int = 0) -> bool:
        """Whether `max_tokens` cut the answer."""
        return len(self.pieces(choice)) < len(reply_text(self.question, choice).split(" "))


_OPENINGS = ("You asked", "The question was", "About your question", "On the matter of")
_MIDDLES = (
    "The short answer is that it depends on where you stand and how far the packets travel",
    "In practice the nearest site answers first while the far ones are still shaking hands",
    "Most people find that keeping a warm connection helps more than choosing a faster model",
    "A careful reading suggests measuring twice before you change anything in the path",
)
_ENDINGS = ("so measure it.", "and that is all.", "as far as this lab knows.", "which is easy to check.")


def reply_text(question: str, choice: int = 0) -> str:
    """The model's text: 20 to 40 words that mention the question and depend on nothing else."""
    digest = hashlib.blake2b(f"{choice}/{question}".encode("utf-8", "replace"), digest_size=8).digest()
    brief = " ".join(question.split()[:12]) or "nothing"
    opening, middle, ending = (part[digest[i] % 4] for i, part in enumerate((_OPENINGS, _MIDDLES, _ENDINGS)))
    return f"{opening}: {brief} {middle}, {ending} Reference {digest[4:].hex()}."


def read_messages(asked: Json, limits: tuple[str, ...]) -> Ask:
    """Chat or Anthropic messages; `limits` names the fields that may cap the answer.  Raises Refusal."""
    messages = asked.get("messages")
    if not isinstance(messages, list) or not messages or not all(isinstance(message, dict) for message in messages):
        raise Refusal(400, "messages is missing or not a list of messages", "messages")
    options = asked.get("stream_options")
    texts = [text_of(message.get("content")) for message in messages]
    asked_by_user = [text for text, message in zip(texts, messages, strict=True) if message.get("role") == "user"]
    n = whole_number(asked, ("n",)) or 1
    return Ask(
        model=model_of(asked),
        question=(asked_by_user or texts)[-1],
        prompt_tokens=sum(map(count, texts)) + count(text_of(asked.get("system"))),
        stream=asked.get("stream") is True,
        n=min(n, 128),
        include_usage=isinstance(options, dict) and options.get("include_usage") is True,
        max_tokens=whole_number(asked, limits),
    )


def read_input(asked: Json) -> Ask:
    """A responses request.  Raises Refusal."""
    given = asked.get("input")
    if not given:
        raise Refusal(400, "input is missing", "input")
    if isinstance(given, str):
        given = [{"role": "user", "content": given}]
    return read_messages({**asked, "messages": given, "n": 1}, ("max_output_tokens",))


def text_of(content: object) -> str:
    """The text of a message's content: a string, or the text parts of a list."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    return " ".join(str(part.get("text", "")) for part in content if isinstance(part, dict)).strip()


def count(text: str) -> int:
    """The tokens of a text, near enough."""
    return max(1, len(re.findall(r"\w+|[^\w\s]", text))) if text else 0


def model_of(asked: Json) -> str:
    """The model asked for, any name; raises Refusal when there is none."""
    model = asked.get("model")
    if not isinstance(model, str) or not model:
        raise Refusal(400, "you must provide a model parameter", "model")
    return model


def whole_number(asked: Json, names: tuple[str, ...]) -> int | None:
    """The first of these fields that is there, or None; raises Refusal when it is not a number of at least 1."""
    for name in names:
        value = asked.get(name)
        if value is None:
            continue
        if not isinstance(value, int) or value < 1:
            raise Refusal(400, f"{name} must be a whole number of at least 1, not {value!r}", name)
        return value
    return None
