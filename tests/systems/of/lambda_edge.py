"""Lambda@Edge under test: a function that routes, without and with OAC in front of a function URL."""

from edgeclient.lab.systems.lambda_edge import LambdaEdge

from ..cases import Case

_MODELS = {"": "gpt-4o", "messages": "claude-sonnet-5", "embeddings": "text-embedding-3-small"}

CASES = {
    "lambda-edge": Case(
        "lambda-edge:d111111abcdef8",
        LambdaEdge,
        _MODELS,
        {
            "auth": "ok", "rate limit": "throttled", "origin's refusal": "ok", "firewall": "status",
            "country": "http_request_denied", "origin is down": "status", "origin is slow": "status",
            "function broke": "status",
        },
    ),
    "lambda-edge?oac": Case("lambda-edge:d111111abcdef8?oac=on", LambdaEdge, _MODELS, {}, set={"oac": True}),
}  # fmt: skip
