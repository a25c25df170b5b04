"""Emulates the OpenAI-compatible path of a SageMaker AI real-time endpoint, with vLLM in the container."""

from __future__ import annotations

import re

from edgeclient.lab.systems.aws import failed, is_signed
from edgeclient.lab.systems.emulator import Emulator, Heard, Refused, Said, by_the_api

_PATH = re.compile(r"/endpoints/([a-zA-Z0-9-]{1,63})(/inference-components/([a-zA-Z0-9-]{1,63}))?/openai(/v1/.+)")


class SageMaker(Emulator):
    """Strict: a bearer token for SageMaker, chat completions and nothing else, and no model's name that vLLM lacks."""

    failures = {  # noqa: RUF012
        "not ready": failed(429, "ModelNotReadyException", "The target model is still loading. Wait and try again."),
        "scaled to zero": (
            400,
            {
                "error": {
                    "message": "Inference Component qwen of endpoint shared has no capacity to process this request."
                }
            },
            (),
        ),
        "the container failed": failed(
            424, "ModelError", 'Received server error (500) from primary with message "CUDA out of memory"'
        ),
        "the container refused": failed(
            424, "ModelError", 'Received client error (400) from primary with message "max_tokens is too large"'
        ),
        "too long": failed(
            424,
            "ModelError",
            'Received client error (400) from primary with message "This model\'s maximum context length is"',
        ),
        "dependency": failed(530, "InternalDependencyException", "Your request caused an exception with a dependency"),
        "internal": failed(500, "InternalFailure", "An internal failure occurred."),
        "unavailable": failed(503, "ServiceUnavailable", "The service is unavailable. Try your call again."),
        "invalid": failed(400, "ValidationError", "Endpoint llama of account 123456789012 not found."),
        "auth": failed(403, "AccessDeniedException", "not authorized to perform: sagemaker:CallWithBearerToken"),
    }
    region = "eu-central-1"
    names: tuple[str, ...] = ("",)  # what the container takes as `model`
    json_lines = False  # streams as LMI containers do

    def answer(self, heard: Heard) -> Said:
        found = _PATH.fullmatch(heard.path)
        if found is None or found[4] != "/v1/chat/completions":
            raise Refused(404, {"message": f"no route for {heard.path}"})
        token = self.bearer(heard)
        if token != self.secret and not is_signed(token, "sagemaker", self.region):
            raise Refused(*self.failures["auth"])
        model = heard.body.get("model")
        if model not in self.names:
            raise Refused(
                *failed(424, "ModelError", f'Received client error (404): "The model `{model}` does not exist."')
            )
        said = by_the_api(heard, found[4], "Qwen/Qwen3-8B")
        if self.json_lines and said.events:
            lines = [event.removeprefix(b"data: ").strip() + b"\n" for event in said.events]
            return Said(200, (("content-type", "application/jsonlines"),), events=lines)
        return said
