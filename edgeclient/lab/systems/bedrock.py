"""Emulates Amazon Bedrock's bedrock-runtime and bedrock-mantle: OpenAI's API at both, and Anthropic's. One host for both."""

from __future__ import annotations

import re

from edgeclient.lab.systems.aws import failed, is_signed
from edgeclient.lab.systems.emulator import Emulator, Heard, Refused, Said, by_the_api

# Both hosts are one here; that bedrock-mantle is meant shows by the names of models, which have no build there.
_OPENAI = re.compile(r"(/openai)?(/v1/(chat/completions|responses))")
_ANTHROPIC = re.compile(r"/anthropic(/v1/messages)")
_BUILT = re.compile(r"((eu|us|apac|global)\.)?[a-z0-9]+\.[\w.-]+(-v\d+|-\d+)(:\d+)?")
_BARE = re.compile(r"[a-z0-9]+\.[\w.-]+")


class Bedrock(Emulator):
    """Strict: a bearer key of Bedrock, ids of Bedrock (with their build at bedrock-runtime), Claude by Messages only."""

    failures = {  # noqa: RUF012
        "throttled": failed(429, "ThrottlingException", "Too many requests, please wait before trying again."),
        "not ready": failed(429, "ModelNotReadyException", "Model is not ready for inference."),
        "quota": failed(400, "ServiceQuotaExceededException", "Your request exceeds the service quota."),
        "timeout": failed(408, "ModelTimeoutException", "Processing time exceeded the model timeout length."),
        "model error": failed(424, "ModelErrorException", "The request failed while processing the model."),
        "model missing": failed(404, "ResourceNotFoundException", "The specified resource ARN was not found."),
        "no form": failed(404, "FTUFormNotFilled", "Model use case details have not been submitted for this account."),
        "unknown id": failed(400, "ValidationException", "The provided model identifier is invalid."),
        "no access": failed(
            403, "AccessDeniedException", "You don't have access to the model with the specified model ID."
        ),
        "wrong route": failed(400, "ValidationException", "model `openai.gpt-5` isn't supported on this route"),
        "too long": failed(400, "ValidationException", "Input is too long for requested model."),
        "invalid": failed(400, "ValidationException", "messages: at least one message is required"),
        "auth": failed(403, "AccessDeniedException", "Authentication failed: Please make sure your API Key is valid."),
        "internal": failed(500, "InternalServerException", "An internal server error occurred."),
        "unavailable": failed(503, "ServiceUnavailableException", "The service isn't currently available."),
    }
    region = "eu-central-1"
    mantle = ("/anthropic",)  # the paths that are asked of bedrock-mantle

    def answer(self, heard: Heard) -> Said:
        openai, anthropic = _OPENAI.fullmatch(heard.path), _ANTHROPIC.fullmatch(heard.path)
        if openai is None and anthropic is None:
            raise Refused(404, {"message": f"no route for {heard.path}"})
        token = self.bearer(heard)
        if "x-api-key" in heard.headers or (token != self.secret and not is_signed(token, "bedrock", self.region)):
            raise Refused(*self.failures["auth"])
        self._check_model(
            str(heard.body.get("model", "")), mantle=heard.path.startswith(self.mantle), claude=bool(anthropic)
        )
        path = openai[2] if openai is not None else "/v1/messages"
        return by_the_api(heard, path)

    def _check_model(self, model: str, *, mantle: bool, claude: bool) -> None:
        if ("anthropic." in model) != claude:
            raise Refused(*failed(400, "ValidationException", f"model `{model}` isn't supported on this route"))
        if not _BARE.fullmatch(model) and (mantle or not _BUILT.fullmatch(model)):
            raise Refused(*self.failures["unknown id"])
