"""AI Gateway under test: at the providers' own paths, at Cloudflare's one address, and authenticated."""

from edgeclient.lab.systems.cloudflare_gateway import CloudflareGateway

from ..cases import Case

CASES = {
    "cloudflare-gateway": Case(
        "cloudflare-gateway:acc123/main",
        CloudflareGateway,
        {"": "gpt-6-luna", "messages": "claude-sonnet-5", "embeddings": "text-embedding-3-small"},
        {
            "rate limit": "throttled", "auth": "ok", "model missing": "model_missing", "provider is down": "status",
            "bad request": "ok",
        },
    ),
    "cloudflare-gateway?via=rest": Case(
        "cloudflare-gateway:acc123/main?via=rest",
        CloudflareGateway,
        {"": "gpt-6-luna", "messages": "claude-sonnet-5"},
        {"rate limit": "throttled", "auth": "ok", "model missing": "model_missing", "provider is down": "status"},
        lacks={"embeddings": "not on its page (ai-gateway/usage/rest-api: chat/completions, responses, messages)"},
    ),
    "cloudflare-gateway?token": Case(
        "cloudflare-gateway:acc123/main?token=env:GATEWAY_TOKEN",
        CloudflareGateway,
        {"": "gpt-6-luna", "messages": "claude-sonnet-5", "embeddings": "text-embedding-3-small"},
        {},
        set={"token": "token-of-the-gateway"},
    ),
}  # fmt: skip
