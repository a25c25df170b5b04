"""Vertex AI under test: in a region, and at the global endpoint."""

from edgeclient.lab.systems.google import Vertex

from ..cases import Case

CASES = {
    "vertex": Case(
        "vertex:my-project/europe-west4",
        Vertex,
        {"": "gemini-3.8-flash"},
        {
            "exhausted": "capacity", "quota": "throttled", "overloaded": "capacity", "internal": "status",
            "too long": "too_long",
            "deadline": "status", "model missing": "model_missing", "invalid": "ok", "auth": "ok", "forbidden": "ok",
        },
    ),
    "vertex?global": Case("vertex:my-project/global", Vertex, {"": "llama-3.3-70b-instruct"}, {}),
}  # fmt: skip
