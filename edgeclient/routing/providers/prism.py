"""Prism of Ssimplifi, a router between providers: its edge refuses bad keys and answers repeated calls, Mumbai does the rest.

Other products have that name too (Future AGI's gateway has headers of the same kind); the base URL tells them apart.
"""

from __future__ import annotations

from ...values import Failure
from ..caching import CacheWords
from ..systems import Asked, Signal, System, only_of

_DOCS = "prism.ssimplifi.com/docs"
_CLI = "ssimplifi-cli 1.8.0"


def _this_model(asked: Asked) -> None:
    """Without it Prism chooses a model by the question, whatever `model` says."""
    asked.headers["X-Prism-Model-Prefer"] = str(asked.body.get("model", ""))


SYSTEM = System(
    name="prism",
    what="Prism (Ssimplifi): routes between providers, caches at the edge, and keeps to the model that was asked for",
    spelling="prism:",
    url="https://api.ssimplifi.com/v1",
    key="env:PRISM_API_KEY",
    key_header="authorization",
    route="gateway",
    probe="/cdn-cgi/trace",
    options={
        "mode": '"eco", "balanced" or "sport": its markup, and what it falls back to',
        "tags": "key=value pairs for its reports, with commas",
        "session": "a conversation that Prism remembers; all calls of the endpoint then belong to it",
    },
    defaults={"mode": "balanced"},
    headers=(
        ("X-Prism-Mode", "{mode}"),
        ("X-Prism-Tags", "{tags}"),
        ("X-Prism-Session", "{session}"),
    ),
    rules=(_this_model,),
    cache_words=CacheWords(refresh={"X-Prism-Cache": "off"}, source=_DOCS),  # no word for a time or a namespace
    naming=only_of("openai", "anthropic", "google"),
    signals=(
        Signal(
            Failure.QUOTA,
            (402,),
            f"{_CLI}, client.py",
            says=r"insufficient_balance|tier_upgrade_required",
        ),
        Signal(Failure.QUOTA, (402,), f"{_CLI}, client.py"),
    ),
    speaks=("chat", "stream"),
    lacks={
        "tools": f"not said: the body is that of OpenAI ({_DOCS}), but nothing tells that tools pass between its providers",
        "schema": f"not said: the body is that of OpenAI ({_DOCS}), but nothing tells that response_format passes",
        "embeddings": f"its one path is /chat/completions ({_DOCS})",
        "messages": f"no Anthropic path ({_DOCS})",
        "responses": f"its one path is /chat/completions ({_DOCS})",
    },
    sources=(
        f"{_DOCS} (it shows https://api.prism.ssimplifi.com as the host: option `host`)",
        f"{_CLI} (https://api.ssimplifi.com, PRISM_API_KEY, the headers, the body of a 402)",
        "dev.to/rikuq/putting-prisms-front-door-on-every-continent-3jdh (what its edge does)",
    ),
)
