"""Google's Gemini API by its OpenAI-compatible layer, as an endpoint among others."""

from __future__ import annotations

from ...values import Failure
from ..systems import Signal, System, either, listed_as, only_of

_PAGE = "ai.google.dev/gemini-api/docs/openai"
_ERRORS = "ai.google.dev/gemini-api/docs/troubleshooting"
_QUOTA = "github.com/continuedev/continue/issues/9570 (limit: 0); ai.google.dev/gemini-api/docs/rate-limits"

SYSTEM = System(
    name="google",
    what="Google's Gemini API, by its OpenAI-compatible layer",
    spelling="google:",
    url="https://generativelanguage.googleapis.com/v1beta/openai",
    key="env:GEMINI_API_KEY",
    key_header="authorization",
    route="gateway",
    naming=either(listed_as("google"), only_of("google")),
    signals=(
        # An error's body may be a list with one element (github.com/n4ze3m/page-assist/issues/406): words are looked for.
        Signal(Failure.QUOTA, (429,), _QUOTA, says=r"PerDay|limit: 0\b"),
        Signal(Failure.CAPACITY, (503,), _ERRORS, says="(?i)overloaded|UNAVAILABLE"),
        Signal(Failure.MODEL_MISSING, (404,), _ERRORS, says="NOT_FOUND"),
        Signal(
            Failure.TOO_LONG,
            (400,),
            "github.com/google-gemini/gemini-cli/issues/6678",
            says="exceeds the maximum number of tokens",
        ),
    ),
    speaks=("chat", "stream", "tools", "schema", "embeddings"),
    lacks={
        "responses": f"the layer has chat completions, embeddings, images, videos, batches and models ({_PAGE})",
        "messages": "not an API of Google's",
    },
    sources=(_PAGE, "ai.google.dev/api/compatibility", _ERRORS),
)
