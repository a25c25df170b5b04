"""vLLM: one open-weight model on one's own server."""

from __future__ import annotations

from ...values import Failure
from ..refusing import first_of, images_unseen, too_long
from ..serving import served_as
from ..systems import Signal, System, listed_as

_DOCS = "docs.vllm.ai: serving/online_serving"

SYSTEM = System(
    name="vllm",
    what="vLLM: one open-weight model on one's own server",
    spelling="vllm:",
    url="http://localhost:8000/v1",
    anthropic="http://localhost:8000",
    key="none",
    key_header="authorization",
    probe="/health",
    options={
        "model": "the name it serves (--served-model-name); without it models are asked for by their Hugging Face id",
        "context": "tokens of its context (--max-model-len): longer calls go elsewhere",
        "vision": '"no" when its model does not see images: calls with images go elsewhere',
    },
    naming=served_as(otherwise=listed_as("huggingface")),
    cannot=first_of(images_unseen, too_long),
    signals=(
        Signal(Failure.MODEL_MISSING, (404,), "github.com/vllm-project/vllm/issues/3485"),
        Signal(
            Failure.TOO_LONG,
            (400,),
            "github.com/vllm-project/vllm/issues/20409",
            says=r"maximum context length|longer than the maximum model length",
        ),
    ),
    speaks=("chat", "stream", "tools", "schema", "embeddings", "messages", "responses"),
    sources=(_DOCS, f"{_DOCS}/anthropic_compatible_server", "docs.vllm.ai: features/tool_calling"),
)
