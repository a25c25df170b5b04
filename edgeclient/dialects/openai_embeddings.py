"""OpenAI embeddings: `POST /embeddings`. Never streamed; has no id and no created time of its own."""

from __future__ import annotations

from ..values import Json


class OpenAIEmbeddings:
    """An answer is one `list` of `embedding` objects, one per input, in the order of the inputs."""

    name = "openai_embeddings"
    samples = False
    closing = b""
    failing = None

    def storable(self, answer: Json) -> bool:
        data = answer.get("data")
        return (
            answer.get("object") == "list"
            and isinstance(data, list)
            and bool(data)
            and all(isinstance(item, dict) and bool(item.get("embedding")) for item in data)
        )

    def whole(self, events: bytes) -> Json | None:
        return None

    def serves(self, has_usage: bool, body: Json) -> bool:
        return True

    def fresh(self, body: Json, fresh_id: str, now: int) -> Json:
        return {}

    def replay(self, answer: Json, body: Json) -> bytes:
        raise ValueError("embeddings are never streamed")
