"""Emulates Cloudflare Workers AI's OpenAI- and Anthropic-compatible paths."""

from __future__ import annotations

import re

from edgeclient.lab.systems.emulator import Emulator, Heard, Refused, Said, by_the_api

_PATH = re.compile(r"/client/v4/accounts/([0-9a-z]+)/ai/v1(/chat/completions|/embeddings|/responses|/messages)")
_SEES = ("mistral-small-3.1", "llama-4-scout", "gemma-3", "llama-3.3-70b")  # take content in parts


def _error(code: int, message: str) -> dict[str, object]:
    return {
        "success": False,
        "result": None,
        "errors": [{"code": code, "message": f"{code}: {message}"}],
        "messages": [],
    }


class WorkersAI(Emulator):
    """Strict: a token, names of the catalogue, text where a model only reads text, an explicit limit of tokens."""

    knows = frozenset({"x-session-affinity", "cf-aig-gateway-id"})
    pop = "FRA"
    failures = {  # noqa: RUF012
        "quota": (429, _error(3036, "you have used up your daily free allocation of 10,000 neurons"), ()),
        "capacity": (429, _error(3040, "Capacity temporarily exceeded, please try again."), ()),
        "model missing": (400, _error(5007, "No such model @cf/meta/llama-3.1-8b-instruct"), ()),
        "timeout": (408, _error(3007, "Request timeout"), ()),
        "auth": (401, _error(10000, "Authentication error"), ()),
        "bad request": (400, _error(5004, "Invalid data"), ()),
        # github.com/cloudflare/cloudflare-docs/issues/29731, which does not show the code
        "too long": (400, _error(0, "AiError: This model's maximum context length is 131072 tokens."), ()),
        "too large": (413, _error(3006, "Request is too large"), ()),
        "terms": (403, _error(5016, "Model agreement not accepted"), ()),
    }

    def answer(self, heard: Heard) -> Said:
        found = _PATH.fullmatch(heard.path)
        if found is None:
            raise Refused(404, _error(7000, f"No route for {heard.path}"))
        if self.bearer(heard) != self.secret or "x-api-key" in heard.headers:
            raise Refused(401, _error(10000, "Authentication error"))
        model = str(heard.body.get("model", ""))
        if not model.startswith("@cf/"):
            raise Refused(400, _error(5007, f"No such model {model}"))
        if found[2] == "/chat/completions":
            self._check_chat(heard, model)
        path = "/v1" + found[2]
        return by_the_api(heard, path)

    def _check_chat(self, heard: Heard, model: str) -> None:
        for message in heard.body.get("messages", ()):
            parts = isinstance(message.get("content"), list) and not any(name in model for name in _SEES)
            if parts or message.get("content", "") is None:
                raise Refused(400, _error(5004, "AiError: Bad input: oneOf at '/' not met"))
        if "max_tokens" not in heard.body:
            raise Refused(400, {"error": {"message": "emulator: 256 tokens by default would cut the answer"}})

    def probed(self, heard: Heard) -> Said:
        if heard.path == "/cdn-cgi/trace":
            return Said(200, (("content-type", "text/plain"),), b"fl=1\ncolo=FRA\n")
        return super().probed(heard)

    def named(self, said: Said, heard: Heard) -> Said:
        return Said(said.status, (*said.headers, ("cf-ray", "8f0123456789abcd-FRA")), said.body, said.events)
