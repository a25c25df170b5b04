"""Emulates Groq's OpenAI-compatible paths."""

from __future__ import annotations

import re

from edgeclient.lab.systems.compatible import Compatible, below, error
from edgeclient.lab.systems.emulator import Heard, Refused

_TOO_LARGE = "Request too large for model `x` on tokens per minute (TPM): Limit 6000, Requested 12328"


class Groq(Compatible):
    """Strict: refuses what its page says it refuses, even where it asks for nothing."""

    paths = below("/openai/v1", "/chat/completions", "/responses")
    models = re.compile(r"(openai/gpt-oss|qwen/|meta-llama/|llama-3\.).+")
    pop = "us-west-1"
    ends = (("x-groq-region", pop),)
    failures = {  # noqa: RUF012
        "auth": (401, error("Invalid API Key", code="invalid_api_key"), ()),
        "bad request": (400, error("no"), ()),
        "model missing": (404, error("The model `x` does not exist", code="model_not_found"), ()),
        "decommissioned": (400, error("The model `x` has been decommissioned", code="model_decommissioned"), ()),
        "too long": (400, error("Please reduce the length of the messages", code="context_length_exceeded"), ()),
        "too large": (413, error("Request Entity Too Large"), ()),
        "too many tokens": (413, error(_TOO_LARGE, "tokens", "rate_limit_exceeded"), ()),
        "unprocessable": (422, error("semantic errors"), ()),
        "failed dependency": (424, error("a dependent request failed"), ()),
        "rate limit": (429, error("Rate limit reached", "tokens", "rate_limit_exceeded"), (("retry-after", "2"),)),
        "flex capacity": (498, error("flex tier capacity exceeded", code="capacity_exceeded"), ()),
        "down": (503, error("Service Unavailable", "internal_server_error"), ()),
    }  # fmt: skip

    def check(self, heard: Heard, path: str) -> None:
        refused = [name for name in ("logprobs", "top_logprobs", "logit_bias") if name in heard.body]
        if heard.body.get("n", 1) != 1:
            refused.append("n")
        if any("name" in message for message in heard.body.get("messages", ())):
            refused.append("messages[].name")
        if refused:
            raise Refused(400, error(f"property '{refused[0]}' is unsupported"))
