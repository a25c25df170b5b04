"""Hugging Face Inference Providers under test: as it is, and with a policy and a payer."""

from edgeclient.lab.systems.huggingface import HuggingFace

from ..cases import Case

CASES = {
    "huggingface": Case(
        "huggingface:",
        HuggingFace,
        {"": "gpt-oss-20b"},
        {
            "auth": "ok", "quota": "quota", "forbidden": "ok", "model missing": "model_missing", "bad request": "ok",
            "rate limit": "throttled", "down": "status",
        },
    ),
    "huggingface?by": Case("huggingface:?by=cheapest&bill_to=acme", HuggingFace, {"": "gpt-oss-20b"}, {}),
}  # fmt: skip
