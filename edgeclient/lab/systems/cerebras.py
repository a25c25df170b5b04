"""Emulates Cerebras Inference. Its errors are not inside an `error`."""

from __future__ import annotations

import re
from typing import Any

from edgeclient.lab.systems.compatible import Compatible, below
from edgeclient.lab.systems.emulator import Heard, Refused

_MINUTE = "Requests per minute limit exceeded - too many requests sent."
_TRAFFIC = "We're experiencing high traffic right now! Please try again soon."


def _error(message: str, kind: str, param: str, code: str) -> dict[str, Any]:
    return {"message": message, "type": f"{kind}_error", "param": param, "code": code}


class Cerebras(Compatible):
    """Strict: refuses the members that its older pages say it refuses."""

    paths = below("/v1", "/chat/completions")
    models = re.compile(r"gpt-oss-120b|qwen-3.*|llama-?[34].*|zai-.*")
    failures = {  # noqa: RUF012
        "auth": (401, _error("Wrong API Key", "invalid_request", "api_key", "wrong_api_key"), ()),
        "bad request": (400, _error("no", "invalid_request", "", "wrong_api_format"), ()),
        "too long": (400, _error("Please reduce the length of the messages", "invalid_request", "messages", "x"), ()),
        "quota": (402, _error("Payment required", "payment_required", "", "payment_required"), ()),
        "forbidden": (403, _error("no", "permission_denied", "", "permission_denied"), ()),
        "model missing": (404, _error("Model x does not exist", "not_found", "model", "model_not_found"), ()),
        "unprocessable": (422, _error("no", "invalid_request", "", "wrong_api_format"), ()),
        "rate limit": (429, _error(_MINUTE, "too_many_requests", "quota", "request_quota_exceeded"), ()),
        "queue": (429, _error(_TRAFFIC, "too_many_requests", "queue", "queue_exceeded"), ()),
        "down": (503, _error("Service Unavailable", "server", "", "unavailable"), ()),
    }  # fmt: skip

    def check(self, heard: Heard, path: str) -> None:
        for name in ("frequency_penalty", "presence_penalty", "logit_bias", "parallel_tool_calls", "service_tier"):
            if name in heard.body:
                raise Refused(400, _error(f"{name} is not supported", "invalid_request", name, "wrong_api_format"))
