"""Rules that make a request's body fit a system, for those in `providers/` to choose from. Pure."""

from __future__ import annotations

from typing import Any

from .systems import Asked, Rule


def plain_text(asked: Asked) -> None:
    """Content that is a list of texts becomes one text, and null becomes "": models without vision take nothing else."""
    messages = asked.body.get("messages")
    if not isinstance(messages, list):
        return
    asked.body["messages"] = [_plain(message) if isinstance(message, dict) else message for message in messages]


def _plain(message: dict[str, Any]) -> dict[str, Any]:
    content = message.get("content", "")
    if content is None:
        return {**message, "content": ""}
    if isinstance(content, list) and all(isinstance(part, dict) and part.get("type") == "text" for part in content):
        return {**message, "content": "\n".join(str(part.get("text", "")) for part in content)}
    return message


def limit_said(tokens: int) -> Rule:
    """Says `max_tokens` where the caller does not, for systems whose own default cuts answers short."""

    def rule(asked: Asked) -> None:
        if asked.call.path.endswith("/chat/completions") and "max_tokens" not in asked.body:
            asked.body["max_tokens"] = asked.body.get("max_completion_tokens") or tokens

    return rule


def without(*names: str) -> Rule:
    """Leaves members out that the system refuses and that do not change what is asked for."""

    def rule(asked: Asked) -> None:
        for name in names:
            asked.body.pop(name, None)

    return rule


def without_in_messages(*names: str) -> Rule:
    """Leaves such members out of each message."""

    def rule(asked: Asked) -> None:
        messages = asked.body.get("messages")
        if isinstance(messages, list) and any(isinstance(m, dict) and not m.keys().isdisjoint(names) for m in messages):
            asked.body["messages"] = [
                {name: value for name, value in message.items() if name not in names}
                if isinstance(message, dict)
                else message
                for message in messages
            ]

    return rule


def sets(header: str, value: str) -> Rule:
    """Sets a header; `{name}` stands for an option."""

    def rule(asked: Asked) -> None:
        asked.headers[header] = value.format_map(asked.options)

    return rule
