"""llama.cpp's server: one open-weight model on one's own machine."""

from __future__ import annotations

from ...values import Failure
from ..refusing import first_of, images_unseen, tokens_as_input, too_long
from ..serving import served_as
from ..systems import Signal, System

_README = "github.com/ggml-org/llama.cpp, tools/server/README.md"

SYSTEM = System(
    name="llama-cpp",
    what="llama.cpp's server: one open-weight model on one's own machine",
    spelling="llama-cpp:",
    url="http://localhost:8080/v1",
    anthropic="http://localhost:8080",
    key="none",
    key_header="authorization",
    probe="/health",
    options={
        "model": "the model it was started with: it answers every name with that one, so it has to be said",
        "context": "tokens of its context (--ctx-size): longer calls go elsewhere",
        "vision": '"no" when it has no projector (--mmproj): calls with images go elsewhere',
    },
    naming=served_as(),
    cannot=first_of(images_unseen, tokens_as_input, too_long),
    signals=(
        Signal(Failure.COLD, (503,), f"{_README} (/health)", says=r"Loading model"),
        Signal(Failure.TOO_LONG, (400,), f"{_README}; its server's errors", says=r"exceed_context_size_error"),
        Signal(Failure.MODEL_MISSING, (501,), f"{_README}; its server's errors", says=r"not_supported_error"),
    ),
    speaks=("chat", "stream", "tools", "schema", "embeddings", "messages", "responses"),
    sources=(_README, "github.com/ggml-org/llama.cpp/pull/17570 (messages)"),
)
