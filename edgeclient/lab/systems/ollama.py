"""Emulates Ollama's OpenAI- and Anthropic-compatible paths. What Ollama would drop without a word is refused here."""

from __future__ import annotations

import re

from edgeclient.lab.systems.compatible import OPENAI, Compatible, below, error
from edgeclient.lab.systems.emulator import Heard, Refused

_UNKNOWN = ("tool_choice", "logit_bias", "logprobs", "previous_response_id", "conversation")


class Ollama(Compatible):
    """Strict: names with a tag, or of a model that has one tag; any key, as it looks at none."""

    paths = below("/v1", *OPENAI, "/messages")
    models = re.compile(r"[a-z0-9.-]+(:[a-z0-9.-]+)?")
    probes = {"/api/version": b'{"version":"0.40.12"}'}  # noqa: RUF012
    failures = {  # noqa: RUF012
        "bad request": (400, error("invalid message format"), ()),
        "model missing": (404, error('model "x" not found, try pulling it first', "not_found_error"), ()),
        "queue full": (503, error("server busy, please try again.  maximum pending requests exceeded", "api_error"), ()),
        "does not fit": (500, error("model requires more system memory (8.4 GiB) than is available", "api_error"), ()),
        "down": (500, error("llama runner process has terminated", "api_error"), ()),
    }  # fmt: skip

    def check_key(self, heard: Heard) -> None: ...

    def check(self, heard: Heard, path: str) -> None:
        dropped = [name for name in _UNKNOWN if heard.body.get(name)]
        if dropped or heard.body.get("n", 1) != 1:
            raise Refused(400, error(f"emulator: {', '.join(dropped) or 'n'} would be ignored"))
