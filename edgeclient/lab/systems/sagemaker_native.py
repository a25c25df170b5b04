"""Emulates the native path of a SageMaker AI real-time endpoint, with vLLM or LMI in the container."""

from __future__ import annotations

import json
import re

from edgeclient.lab.systems.aws import Failed
from edgeclient.lab.systems.aws_native import frame, part, unsigned_because
from edgeclient.lab.systems.emulator import Emulator, Heard, Refused, Said, by_the_api

_PATH = re.compile(r"/endpoints/([a-zA-Z0-9-]{1,63})/invocations(-response-stream)?")
_LARGEST = 6_291_456


def _failed(status: int, error: str, message: str, **more: object) -> Failed:
    return status, {"Message": message, **more}, (("x-amzn-errortype", error),)


def _of_model(status: int, message: str) -> Failed:
    kind = "server" if status >= 500 else "client"
    said = f'Received {kind} error ({status}) from primary with message "{message}"'
    return _failed(424, "ModelError", said, OriginalStatusCode=status, OriginalMessage=message, LogStreamArn="")


class SageMakerNative(Emulator):
    """Strict: a signature that is right for this very request, the path that fits `stream`, and a body within the limit."""

    knows = frozenset(
        {"x-amz-date", "x-amz-security-token"}
        | {f"x-amzn-sagemaker-{name}" for name in ("target-variant", "session-id", "inference-component", "accept")}
    )
    failures = {  # noqa: RUF012
        "not ready": _failed(429, "ModelNotReadyException", "The target model is still loading. Wait and try again."),
        "throttled": _failed(429, "ThrottlingException", "Rate exceeded"),
        "scaled to zero": _failed(
            400,
            "ValidationError",
            "Inference Component qwen of endpoint shared has no capacity to process this request.",
        ),
        "the container failed": _of_model(500, "CUDA out of memory"),
        "the container is full": _of_model(429, "Server overloaded, please retry later."),
        "the container refused": _of_model(400, "max_tokens is too large"),
        "too long": _of_model(400, "This model's maximum context length is 8192 tokens"),
        "dependency": _failed(530, "InternalDependencyException", "Your request caused an exception with a dependency"),
        "internal": _failed(500, "InternalFailure", "An internal failure occurred."),
        "unavailable": _failed(503, "ServiceUnavailable", "The service is unavailable. Try your call again."),
        "invalid": _failed(400, "ValidationError", "Endpoint llama of account 123456789012 not found."),
        "auth": _failed(403, "AccessDeniedException", "not authorized to perform: sagemaker:InvokeEndpoint"),
        "signature": _failed(403, "InvalidSignatureException", "The request signature we calculated does not match"),
    }
    region = "eu-central-1"
    streams = "events"  # as vLLM; "lines": as LMI; "whole": a container that cannot stream
    ends = ""  # "failed": the stream breaks off with a frame that says so; "cut": it ends within a frame
    cut = 37  # bytes of what the container says that come in one frame, and of frames that come at once

    def answer(self, heard: Heard) -> Said:
        found = _PATH.fullmatch(heard.path)
        if found is None:
            raise Refused(404, {"Message": f"no route for {heard.path}"})
        unsigned = unsigned_because(heard, self.secret, "sagemaker", self.region)
        if unsigned:
            raise Refused(*_failed(403, unsigned, f"emulator: {unsigned}"))
        if len(heard.raw) > _LARGEST:
            raise Refused(*_failed(413, "ValidationError", "request body is too large"))
        if bool(heard.body.get("stream")) != bool(found[2]) or heard.body.get("model"):
            raise Refused(*_of_model(400, "emulator: the path does not fit `stream`, or a model is named"))
        said = by_the_api(heard, "/v1/chat/completions", "Qwen/Qwen3-8B")
        variant = ("x-amzn-invoked-production-variant", heard.headers.get("x-amzn-sagemaker-target-variant", "primary"))
        return self._framed(said, variant) if found[2] else Said(said.status, (*said.headers, variant), said.body)

    def _framed(self, said: Said, variant: tuple[str, str]) -> Said:
        streamed = b"".join(self._streamed(said))
        frames = b"".join(part(streamed[at : at + self.cut]) for at in range(0, len(streamed), self.cut))
        if self.ends == "failed":
            names = {":message-type": "exception", ":exception-type": "ModelStreamError"}
            frames = frames[: len(part(streamed[: self.cut]))] + frame(
                names, json.dumps({"Message": "the model went away", "ErrorCode": "StreamBroken"}).encode()
            )
        elif self.ends == "cut":
            frames = frames[:-5]
        kinds = (
            ("content-type", "application/vnd.amazon.eventstream"),
            ("x-amzn-sagemaker-content-type", "text/plain"),
        )
        return Said(200, (*kinds, variant), events=[frames[at : at + 101] for at in range(0, len(frames), 101)])

    def _streamed(self, said: Said) -> list[bytes]:
        if self.streams == "lines":
            lines = [event.removeprefix(b"data: ").strip() + b"\n" for event in said.events]
            return [line for line in lines if not line.startswith(b"[DONE]")]
        if self.streams == "whole":
            return [b'{"id":"x","object":"chat.completion","choices":[]}\n']
        return list(said.events)
