"""Emulates a resource of Azure OpenAI and Microsoft Foundry: the v1 API, and Anthropic's."""

from __future__ import annotations

import re
from typing import Any

from edgeclient.lab.systems.emulator import Emulator, Heard, Refused, Said, by_the_api

_OPENAI = re.compile(r"/openai(/v1/(chat/completions|responses|embeddings))")
_ANTHROPIC = re.compile(r"/anthropic(/v1/messages)")


def _error(code: str, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message}}


class Azure(Emulator):
    """Strict: the key where each API has it and nowhere else, deployments by their names, no api-version."""

    knows = frozenset({"api-key"})
    pop = "East US"
    failures = {  # noqa: RUF012
        "rate limit": (
            429,
            _error("429", "Requests have exceeded the call rate limit."),
            (("retry-after-ms", "7000"),),
        ),
        "no deployment": (
            404,
            _error("DeploymentNotFound", "The API deployment for this resource does not exist."),
            (),
        ),
        "filtered": (
            400,
            _error("content_filter", "The response was filtered by Azure's content management policy."),
            (),
        ),
        "too long": (
            400,
            _error("context_length_exceeded", "This model's maximum context length is 400000 tokens."),
            (),
        ),
        "auth": (401, _error("401", "Access denied due to invalid subscription key or wrong API endpoint."), ()),
        "network": (403, _error("403", "Access denied due to Virtual Network/Firewall rules."), ()),
        "timeout": (408, _error("Timeout", "The operation was timeout."), ()),
        "internal": (500, _error("InternalServerError", "The server had an error."), ()),
        "unavailable": (503, _error("ServiceUnavailable", "The server is overloaded or not ready yet."), ()),
    }
    token = False  # of Entra ID, in place of a key
    deployments = ("gpt-6-luna", "text-embedding-3-small", "claude-sonnet-5")

    def answer(self, heard: Heard) -> Said:
        openai, anthropic = _OPENAI.fullmatch(heard.path), _ANTHROPIC.fullmatch(heard.path)
        found = openai or anthropic
        if found is None:  # with a query, too
            raise Refused(404, _error("404", "Resource not found"))
        given = {
            name: heard.headers[name] for name in ("api-key", "x-api-key", "authorization") if name in heard.headers
        }
        key = {"x-api-key" if anthropic else "api-key": self.secret}
        if given != ({"authorization": f"Bearer {self.secret}"} if self.token else key):
            raise Refused(*self.failures["auth"])
        model = str(heard.body.get("model", ""))
        if model not in self.deployments or model.startswith("claude") != bool(anthropic):
            raise Refused(*self.failures["no deployment"])
        return by_the_api(heard, found[1])

    def named(self, said: Said, heard: Heard) -> Said:
        return Said(said.status, (*said.headers, ("x-ms-region", "East US")), said.body, said.events)
