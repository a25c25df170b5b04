"""The makers' own APIs under test."""

from edgeclient.lab.systems.google import Gemini
from edgeclient.lab.systems.origins import Anthropic, OpenAI

from ..cases import Case

CASES = {
    "openai": Case(
        "openai:",
        OpenAI,
        {"": "gpt-6-luna", "embeddings": "text-embedding-3-small"},
        {
            "rate limit": "throttled", "quota": "quota", "no credit": "quota", "overloaded": "capacity", "internal": "status",
            "model missing": "model_missing", "too long": "too_long", "auth": "ok", "bad request": "ok",
        },
    ),
    "openai?project": Case("openai:?project=proj_1&organization=org-1", OpenAI, {"": "ft:gpt-4o-mini:org::1"},
        {}, lacks={"embeddings": "asked above"},
    ),
    "anthropic": Case(
        "anthropic:",
        Anthropic,
        {"": "claude-sonnet-5"},
        {
            "overloaded": "capacity", "rate limit": "throttled", "no credit": "quota", "spend limit": "quota",
            "billing": "quota",
            "model missing": "model_missing", "timeout": "status", "internal": "status", "auth": "ok", "permission": "ok",
            "too long": "too_long", "too large": "too_long", "bad request": "ok",
        },
    ),
    "anthropic?auth": Case(
        "anthropic:?auth=x-api-key&workspace=wrkspc_1", Anthropic, {"": "claude-sonnet-5"}, {}, set={"header": "x-api-key"}
    ),
    "google": Case(
        "google:",
        Gemini,
        {"": "gemini-3.8-flash", "embeddings": "gemini-embedding-001"},
        {
            "exhausted": "throttled", "per minute": "throttled", "per day": "quota", "not in the plan": "quota",
            "overloaded": "capacity", "internal": "status", "deadline": "status", "model missing": "model_missing",
            "invalid": "ok", "too long": "too_long", "auth": "ok",
        },
    ),
}  # fmt: skip
