"""Groq: open-weight models on its own chips, fast and central."""

from __future__ import annotations

from ...values import Failure
from ..refusing import several_answers
from ..shaping import without, without_in_messages
from ..systems import Signal, System, listed_as

_ERRORS = "console.groq.com/docs/errors"

SYSTEM = System(
    name="groq",
    what="Groq: open-weight models on its own chips",
    spelling="groq:",
    url="https://api.groq.com/openai/v1",
    key="env:GROQ_API_KEY",
    key_header="authorization",
    rules=(without("logprobs", "top_logprobs", "logit_bias"), without_in_messages("name")),  # 400 where one is there
    cannot=several_answers,
    naming=listed_as("groq"),
    signals=(
        Signal(Failure.CAPACITY, (498,), "console.groq.com/docs/flex-processing"),
        Signal(
            Failure.THROTTLED,  # of this account: the request alone is more than its tokens a minute
            (413,),
            "github.com/HunorLaczko/ha-groq-cloud-api/issues/27",
            says=r"rate_limit_exceeded",
        ),
        Signal(Failure.MODEL_MISSING, (404,), _ERRORS),
        Signal(Failure.MODEL_MISSING, (400,), "github.com/ItzCrazyKns/Vane/issues/771", says=r"model_decommissioned"),
    ),
    speaks=("chat", "stream", "tools", "schema", "responses"),
    lacks={
        "embeddings": "none among its endpoints (console.groq.com/docs/api-reference)",
        "messages": "its pages name no Anthropic path (console.groq.com/docs/openai)",
    },
    sources=("console.groq.com/docs/openai", _ERRORS, "console.groq.com/docs/flex-processing"),
)
