"""Ollama: open-weight models on one's own machine."""

from __future__ import annotations

from ...values import Failure
from ..refusing import (
    first_of,
    forced_tool,
    images_unseen,
    linked_images,
    several_answers,
    tokens_as_input,
    too_long,
    unknown,
)
from ..systems import Signal, System, listed_as

_OPENAI = "docs.ollama.com/api/openai-compatibility"
_ANTHROPIC = "docs.ollama.com/api/anthropic-compatibility"
_ERRORS = "docs.ollama.com/api/errors"

SYSTEM = System(
    name="ollama",
    what="Ollama: open-weight models on one's own machine",
    spelling="ollama:",
    url="http://localhost:11434/v1",
    anthropic="http://localhost:11434",
    key="none",
    key_header="authorization",
    route="inference",
    probe="/api/version",
    options={
        "context": "tokens that its models are loaded with (OLLAMA_CONTEXT_LENGTH): longer calls go elsewhere",
        "vision": '"no" when its models do not see images: calls with images go elsewhere',
    },
    naming=listed_as("ollama"),
    cannot=first_of(
        several_answers,
        forced_tool,
        unknown("logit_bias", "logprobs", "previous_response_id", "conversation"),
        linked_images,
        images_unseen,
        tokens_as_input,
        too_long,  # it would cut the beginning off without a word
    ),
    signals=(
        Signal(Failure.MODEL_MISSING, (404,), _ERRORS),
        Signal(Failure.CAPACITY, (503,), "docs.ollama.com/faq (OLLAMA_MAX_QUEUE)"),
        Signal(
            Failure.MODEL_MISSING,
            (500,),
            "its answers, as clients log them",
            says=r"more system memory",
        ),
    ),
    speaks=("chat", "stream", "tools", "schema", "embeddings", "messages", "responses"),
    sources=(_OPENAI, _ANTHROPIC, _ERRORS, "docs.ollama.com/faq, .../context-length"),
)
