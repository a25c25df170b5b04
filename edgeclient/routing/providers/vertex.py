"""Google's Vertex AI: Gemini and others' open models in one location, by OpenAI's chat completions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...values import Failure
from ..systems import Signal, System, either, listed_as, vendor_of

_PAGE = "cloud.google.com/vertex-ai/generative-ai/docs/migrate/openai/overview"
_429 = "cloud.google.com/vertex-ai/generative-ai/docs/error-code-429"
_ONLY_CHAT = f"the OpenAI-compatible endpoint has chat completions only ({_PAGE})"


def _at(options: Mapping[str, str]) -> Mapping[str, Any]:
    location = options["location"]
    host = "aiplatform.googleapis.com" if location == "global" else "{location}-aiplatform.googleapis.com"
    path = "/v1/projects/{project}/locations/{location}/endpoints/{endpoint}"
    return {"url": f"https://{host}{path}", "region": location}


def _asked(model: str, sdk: str, options: Mapping[str, str]) -> str | None:
    return model if "/" in model or vendor_of(model) == "google" else None


def _naming(model: str, sdk: str, options: Mapping[str, str]) -> str | None:
    """`maker/model`, as this endpoint wants names; those of other paths of Vertex (Claude, Mistral) are not served here."""
    there = either(listed_as("vertex"), _asked)(model, sdk, options) or ""
    return there if "/" in there else f"google/{there}" if vendor_of(there) == "google" else None


SYSTEM = System(
    name="vertex",
    what="Google Vertex AI in one location: Gemini, and open models as a service, by OpenAI's chat completions",
    spelling="vertex:PROJECT/LOCATION",
    at=_at,
    key_header="authorization",
    options={
        "endpoint": "the number of an endpoint of your own, for a model from Model Garden that you deployed yourself"
    },
    defaults={"endpoint": "openapi"},
    naming=_naming,
    signals=(
        Signal(Failure.CAPACITY, (429,), _429, says="(?i)resource (has been )?exhausted|out of capacity"),
        Signal(Failure.CAPACITY, (503,), "google.rpc.Code UNAVAILABLE", says="(?i)overloaded|UNAVAILABLE"),
        Signal(Failure.MODEL_MISSING, (404,), "google.rpc.Code NOT_FOUND", says="NOT_FOUND"),
        Signal(
            Failure.TOO_LONG,
            (400,),
            "github.com/google-gemini/gemini-cli/issues/27197",
            says="exceeds the maximum number of tokens",
        ),
    ),
    speaks=("chat", "stream", "tools", "schema"),
    lacks={
        "embeddings": _ONLY_CHAT,
        "responses": _ONLY_CHAT,
        "messages": "Claude is at :rawPredict, with its name in the path and not in the body (anthropic 2.13, lib/vertex)",
    },
    sources=(_PAGE, _429, "litellm, vertex_ai/vertex_llm_base.py (hosts)"),
)
