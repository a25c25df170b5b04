"""Emulates Google's two OpenAI-compatible layers: that of Vertex AI, and that of the Gemini API."""

from __future__ import annotations

import re
from typing import Any

from edgeclient.lab.systems.emulator import Emulator, Heard, Refused, Said, by_the_api


def _error(code: int, status: str, message: str, **details: Any) -> list[dict[str, Any]]:
    """An error's body: here a list with one element. Met by others: github.com/n4ze3m/page-assist/issues/406."""
    more = {"details": [details]} if details else {}
    return [{"error": {"code": code, "message": message, "status": status, **more}}]


class Vertex(Emulator):
    """Strict: an OAuth token as bearer, chat completions and nothing else, names with their maker."""

    failures = {  # noqa: RUF012
        "exhausted": (
            429,
            _error(
                429, "RESOURCE_EXHAUSTED", "Resource exhausted. Please try again later. Please refer to error-code-429"
            ),
            (),
        ),
        "quota": (
            429,
            _error(
                429, "RESOURCE_EXHAUSTED", "Quota exceeded for aiplatform.googleapis.com/online_prediction_requests"
            ),
            (),
        ),
        "overloaded": (503, _error(503, "UNAVAILABLE", "The model is overloaded. Please try again later."), ()),
        "internal": (500, _error(500, "INTERNAL", "Internal error encountered."), ()),
        "deadline": (504, _error(504, "DEADLINE_EXCEEDED", "Deadline expired."), ()),
        "model missing": (404, _error(404, "NOT_FOUND", "Publisher Model `google/gemini-0` was not found."), ()),
        "invalid": (400, _error(400, "INVALID_ARGUMENT", "Request contains an invalid argument."), ()),
        "too long": (
            400,
            _error(
                400, "INVALID_ARGUMENT", "The input token count (1200293) exceeds the maximum number of tokens allowed."
            ),
            (),
        ),
        "auth": (401, _error(401, "UNAUTHENTICATED", "Request had invalid authentication credentials."), ()),
        "forbidden": (403, _error(403, "PERMISSION_DENIED", "Permission 'aiplatform.endpoints.predict' denied"), ()),
    }
    _path = re.compile(r"/v1/projects/([\w-]+)/locations/([\w-]+)/endpoints/(openapi|\d+)(/chat/completions)")
    _names = re.compile(r"google/gemini-[\w.-]+|[a-z-]+/[\w.-]+-maas")

    def answer(self, heard: Heard) -> Said:
        found = self._path.fullmatch(heard.path)
        if found is None:
            raise Refused(404, _error(404, "NOT_FOUND", f"no route for {heard.path}"))
        if self.bearer(heard) != self.secret or "x-api-key" in heard.headers:
            raise Refused(*self.failures["auth"])
        if not self._names.fullmatch(str(heard.body.get("model", ""))):
            raise Refused(*self.failures["invalid"])
        return by_the_api(heard, f"/v1{found.groups()[-1]}")


class Gemini(Vertex):
    """Strict: the key as bearer, Gemini's own names, chat completions and embeddings."""

    failures = {  # noqa: RUF012
        **{name: said for name, said in Vertex.failures.items() if name not in ("quota", "forbidden")},
        "per minute": (
            429,
            _error(
                429, "RESOURCE_EXHAUSTED", "You exceeded your current quota. Please retry in 11.6s.",
                violations=[{"quotaId": "GenerateRequestsPerMinutePerProjectPerModel-FreeTier", "quotaValue": "10"}],
            ),
            (),
        ),
        "per day": (
            429,
            _error(
                429, "RESOURCE_EXHAUSTED", "You exceeded your current quota, please check your plan and billing details.",
                violations=[{"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier", "quotaValue": "250"}],
            ),
            (),
        ),
        "not in the plan": (
            429,
            _error(429, "RESOURCE_EXHAUSTED", "Quota exceeded for metric: free_tier_requests, limit: 0, model: gemini-3-pro"),
            (),
        ),
    }  # fmt: skip
    _path = re.compile(r"/v1beta/openai(/chat/completions|/embeddings)")
    _names = re.compile(r"gemini-[\w.-]+")
