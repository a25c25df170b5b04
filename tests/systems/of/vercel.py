"""Vercel AI Gateway under test: with foundation models, with open ones, and with its options."""

from edgeclient.lab.systems.vercel import Vercel

from ..cases import Case

CASES = {
    "vercel": Case(
        "vercel:",
        Vercel,
        {"": "gpt-4o", "messages": "claude-sonnet-5", "embeddings": "text-embedding-3-small"},
        {
            "auth": "ok", "bad request": "ok", "model missing": "model_missing", "rate limit": "throttled",
            "budget": "quota", "no money": "quota", "paid credits": "quota", "verification": "quota",
            "free tier": "model_missing", "forbidden": "ok", "dependency": "ok", "provider is down": "status",
        },
    ),
    "vercel?open": Case(
        "vercel:?order=groq,cerebras&sort=ttft&tags=a,b&zdr=on",
        Vercel,
        {"": "llama-3.3-70b-instruct", "messages": "claude-opus-4-8-20260101", "embeddings": "qwen3-embedding-0.6b"},
        {},
    ),
    "vercel?team": Case(
        "vercel:?auth=oidc&team=team_1&only=anthropic",
        Vercel,
        {"": "claude-haiku-4-5", "embeddings": "text-embedding-3-large", "responses": "gpt-6-luna"},
        {},
        set={"team": "team_1"},
    ),
}  # fmt: skip
