"""Emulates vLLM's server, started with `--served-model-name local-model --api-key`."""

from __future__ import annotations

import re

from edgeclient.lab.systems.compatible import OPENAI, Compatible, below

_CONTEXT = "This model's maximum context length is 8192 tokens. However, you requested 9204 tokens"


def _error(code: int, message: str, kind: str) -> tuple[int, dict[str, object], tuple[()]]:
    return code, {"error": {"message": message, "type": kind, "param": None, "code": code}}, ()


class VLLM(Compatible):
    """Strict: the model is named as it is served, and the key is a bearer's in both APIs."""

    paths = below("/v1", *OPENAI, "/messages")
    models = re.compile(r"local-model")
    probes = {"/health": b""}  # noqa: RUF012
    failures = {  # noqa: RUF012
        "auth": (401, {"error": "Unauthorized"}, ()),
        "bad request": _error(400, "no", "BadRequestError"),
        "too long": _error(400, _CONTEXT, "BadRequestError"),
        "model missing": _error(404, "The model `x` does not exist.", "NotFoundError"),
        "down": _error(500, "EngineCore encountered an issue", "InternalServerError"),
    }
