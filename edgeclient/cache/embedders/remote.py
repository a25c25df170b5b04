"""The embedder at an endpoint that speaks OpenAI's embeddings API (OpenAI, Workers AI's bge, a server of one's own).

Asks through a sync client of ours, so endpoints, keys, failover and PoPs are those of any call; `Vectors` asks it in a
thread, several texts at a time, and leaves it when the time is up. Embeddings are no chat: the call has no last user text,
so it never comes to the semantic cache itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from ...errors import SettingsError
from .contract import Judge, Refused

# Numbers of a vector, as the providers' documentation says (2026-11): platform.openai.com/docs/guides/embeddings,
# developers.cloudflare.com/workers-ai/models. Others have to be said.
DIMENSIONS = {
    "text-embedding-3-small": 1536,
    "text-embedding-3-large": 3072,
    "text-embedding-ada-002": 1536,
    "@cf/baai/bge-small-en-v1.5": 384,
    "@cf/baai/bge-base-en-v1.5": 768,
    "@cf/baai/bge-large-en-v1.5": 1024,
    "@cf/baai/bge-m3": 1024,
}
_CHOSEN = ("text-embedding-3-small", "text-embedding-3-large")  # these make shorter vectors when asked to
_LONGEST = 8000  # characters of a text that are sent: below the 8,191 tokens of OpenAI's models in any language
_BATCH = 64
_TIMEOUT_S = (
    2.0  # of the call; far longer than a lookup waits, so that a late vector is there when the answer is stored
)


class Client(Protocol):
    """What is asked of an OpenAI client."""

    def with_options(self, *, max_retries: int, timeout: float) -> Any: ...


class Remote:
    """Vectors of an endpoint's model. The endpoint may give anything: `Vectors` checks each, and counts."""

    name = "remote"
    quick = 0
    leading = 0
    budget_s = 0.025

    def __init__(self, client: Client, model: str, *, judge: Judge, dimensions: int | None = None) -> None:
        """`client` is a sync client, `edge.OpenAI()`; `dimensions` need not be said of models that are known here."""
        known = DIMENSIONS.get(model)
        if dimensions is None and known is None:
            raise SettingsError(f"how many numbers a vector of {model!r} has is not known; set its dimensions")
        if dimensions is not None and not 2 <= dimensions <= 16_384:
            raise SettingsError(f"dimensions={dimensions!r} of {model!r} is not between 2 and 16384")
        if dimensions is not None and known not in (None, dimensions) and model not in _CHOSEN:
            raise SettingsError(f"vectors of {model!r} have {known} numbers, not {dimensions}")
        self.judge: Judge = judge
        self.dimensions: int = dimensions or known or 0
        self.fingerprint = f"remote-1-{model}-{self.dimensions}"
        self._client, self._model = client.with_options(max_retries=0, timeout=_TIMEOUT_S), model
        self._options = {"dimensions": dimensions} if model in _CHOSEN and dimensions not in (None, known) else {}

    def embed(self, texts: Sequence[str]) -> Any:
        """A row for each text; a row of zeros for a text of blanks. Raises what the client raises, and `Refused`."""
        asked = [text[:_LONGEST] for text in texts if text.strip()]
        rows: list[list[float]] = []
        for at in range(0, len(asked), _BATCH):
            rows += self._rows(asked[at : at + _BATCH])
        given = iter(rows)
        return [next(given) if text.strip() else [0.0] * self.dimensions for text in texts]

    def _rows(self, texts: list[str]) -> list[list[float]]:
        answer = self._client.embeddings.create(
            model=self._model,
            input=texts,
            encoding_format="float",
            extra_headers={"Cache-Control": "no-store"},  # to our client: an answer that is rubbish shall not stay
            **self._options,
        )
        found = {one.index: one.embedding for one in answer.data}
        if len(answer.data) != len(texts) or found.keys() != set(range(len(texts))):
            raise Refused(f"{len(answer.data)} vectors for {len(texts)} texts")
        return [_of_length_one(found[at]) for at in range(len(texts))]


def _of_length_one(row: Sequence[float]) -> list[float]:
    """Not every model gives vectors of length 1. What is no vector stays what it is: `checked` refuses it."""
    length = sum(number * number for number in row) ** 0.5
    return [number / length for number in row] if length else list(row)
