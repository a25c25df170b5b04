"""OpenAI embeddings: `POST /embeddings`. Never streamed; has no id and no created time of its own."""

from __future__ import annotations

from ..values import Json
from .whole import Whole


class OpenAIEmbeddings(Whole):
    """An answer is one `list` of `embedding` objects, one per input, in the order of the inputs."""

    name = "openai_embeddings"

    def storable(self, answer: Json) -> bool:
        data = answer.get("data")
        return (
            answer.get("object") == "list"
            and isinstance(data, list)
            and bool(data)
            and all(isinstance(item, dict) and bool(item.get("embedding")) for item in data)
        )
