"""Ssimplifi's Prism under test."""

from edgeclient.lab.systems.prism import Prism

from ..cases import Case

CASES = {
    "prism": Case(
        "prism:",
        Prism,
        {"": "gpt-4o"},
        {
            "bad key": "ok", "no money": "quota", "tier": "quota", "bad request": "ok", "rate limit": "throttled",
            "the origin is down": "status",
        },
    ),
    "prism?eco": Case(
        "prism:?mode=eco&tags=team=a,env=test&session=s1",
        Prism,
        {"": "claude-sonnet-5"},
        {},
    ),
}  # fmt: skip
