"""Fastly under test: AI Accelerator in front of OpenAI and of another API, and a service on Compute."""

from edgeclient.lab.systems.fastly import Fastly, FastlyCompute

from ..cases import Case

CASES = {
    "fastly": Case(
        "fastly:?token=env:GATEWAY_TOKEN",
        Fastly,
        {"": "gpt-4o", "embeddings": "text-embedding-3-small"},
        {
            "no token": "ok", "provider's key": "ok", "bad request": "ok", "rate limit": "throttled",
            "no backend": "status",
        },
    ),
    "fastly?llm": Case(
        "fastly:?token=env:GATEWAY_TOKEN&llm=api.groq.com/openai/v1",
        Fastly,
        {"": "llama-3.3-70b-versatile"},
        {},
        lacks={"embeddings": "what that API does not have", "responses": "what that API does not have"},
    ),
    "fastly-compute": Case(
        "fastly-compute:my-router",
        FastlyCompute,
        {"": "gpt-4o", "messages": "claude-sonnet-5", "embeddings": "text-embedding-3-small"},
        {"auth": "ok", "rate limit": "throttled", "time is up": "status", "memory is up": "status"},
    ),
}  # fmt: skip
