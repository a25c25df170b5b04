"""What the systems are asked for to get a model: by preset, SDK and the name that the caller said."""

from __future__ import annotations

from typing import Any

import pytest

from edgeclient.routing import presets

_SAGEMAKER = "sagemaker:eu-central-1/llama?model=llama-3.1-8b-instruct"

CASES = [
    (_SAGEMAKER, "openai", "llama-3.1-8b-instruct", "llama-3.1-8b-instruct"),
    (_SAGEMAKER, "openai", "meta-llama/Llama-3.1-8B-Instruct", "meta-llama/Llama-3.1-8B-Instruct"),
    (_SAGEMAKER, "openai", "qwen3-8b", None),
    (_SAGEMAKER, "openai", "nobody-knows-it", None),
    ("sagemaker:eu-central-1/llama?model=our-own-7b", "openai", "our-own-7b", "our-own-7b"),
    ("sagemaker:eu-central-1/llama?model=any", "openai", "whatever", "whatever"),
    ("bedrock:eu-central-1", "openai", "gpt-oss-20b", "openai.gpt-oss-20b-1:0"),
    ("bedrock:eu-central-1?via=mantle", "openai", "gpt-oss-20b", "openai.gpt-oss-20b"),
    ("bedrock:eu-central-1?profile=eu", "openai", "llama-3.1-8b-instruct", "eu.meta.llama3-1-8b-instruct-v1:0"),
    ("bedrock:eu-central-1?profile=eu", "openai", "us.amazon.nova-pro-v1:0", "us.amazon.nova-pro-v1:0"),
    ("bedrock:eu-central-1", "openai", "claude-sonnet-5", None),  # stays in Anthropic's format
    ("bedrock:eu-central-1", "anthropic", "gpt-oss-20b", None),
    ("bedrock:eu-central-1", "anthropic", "claude-sonnet-4-5", "anthropic.claude-sonnet-4-5"),
    (
        "bedrock:eu-central-1?messages=runtime&profile=eu",
        "anthropic",
        "claude-sonnet-4-5",
        "eu.anthropic.claude-sonnet-4-5-20250929-v1:0",
    ),
    ("bedrock:eu-central-1", "openai", "nobody-knows-it", None),
    ("vertex:p/global", "openai", "gemini-3.8-flash", "google/gemini-3.8-flash"),
    ("vertex:p/global", "openai", "gemini-2.5-pro", "google/gemini-2.5-pro"),
    ("vertex:p/global", "openai", "gemini-9-not-yet-known", "google/gemini-9-not-yet-known"),
    ("vertex:p/global", "openai", "llama-3.3-70b-instruct", "meta/llama-3.3-70b-instruct-maas"),
    ("vertex:p/global", "openai", "claude-sonnet-5", None),
    ("vertex:p/global", "openai", "gpt-6-luna", None),
    ("openai:", "openai", "gpt-6-luna", "gpt-6-luna"),
    ("openai:", "openai", "ft:gpt-4o-mini:org::1", "ft:gpt-4o-mini:org::1"),
    ("openai:", "openai", "text-embedding-3-small", "text-embedding-3-small"),
    ("openai:", "openai", "gpt-oss-20b", None),
    ("openai:", "openai", "gemini-3.8-flash", None),
    ("anthropic:", "anthropic", "claude-sonnet-5", "claude-sonnet-5"),
    ("anthropic:", "anthropic", "gpt-6-luna", None),
    ("google:", "openai", "gemini-3.8-flash", "gemini-3.8-flash"),
    ("google:", "openai", "google/gemini-2.5-pro", "gemini-2.5-pro"),
    ("google:", "openai", "claude-sonnet-5", None),
    ("azure:r", "openai", "my-deployment", "my-deployment"),
    ("azure:r", "openai", "claude-sonnet-5", None),
    ("azure:r", "anthropic", "claude-sonnet-5", "claude-sonnet-5"),
]

URLS = [
    (_SAGEMAKER, "https://runtime.sagemaker.eu-central-1.amazonaws.com/endpoints/llama/openai/v1", ""),
    (
        "sagemaker:cn-north-1/shared?model=any&component=qwen",
        "https://runtime.sagemaker.cn-north-1.amazonaws.com.cn/endpoints/shared/inference-components/qwen/openai/v1",
        "",
    ),
    (
        "bedrock:us-east-1",
        "https://bedrock-runtime.us-east-1.amazonaws.com/openai/v1",
        "https://bedrock-mantle.us-east-1.api.aws/anthropic",
    ),
    (
        "bedrock:us-east-1?via=mantle&messages=runtime",
        "https://bedrock-mantle.us-east-1.api.aws/v1",
        "https://bedrock-runtime.us-east-1.amazonaws.com/anthropic",
    ),
    (
        "vertex:my-project/europe-west4",
        "https://europe-west4-aiplatform.googleapis.com/v1/projects/my-project/locations/europe-west4/endpoints/openapi",
        "",
    ),
    (
        "vertex:my-project/global?endpoint=123",
        "https://aiplatform.googleapis.com/v1/projects/my-project/locations/global/endpoints/123",
        "",
    ),
    ("openai:", "https://api.openai.com/v1", ""),
    ("anthropic:", "", "https://api.anthropic.com"),
    ("google:", "https://generativelanguage.googleapis.com/v1beta/openai", ""),
    ("azure:r", "https://r.openai.azure.com/openai/v1", "https://r.services.ai.azure.com/anthropic"),
]


def _endpoint(preset: str) -> dict[str, Any]:
    (endpoint,) = presets.expand({"url": preset, "key": "none"})
    assert isinstance(endpoint, dict)
    return endpoint


@pytest.mark.parametrize(("preset", "sdk", "model", "there"), CASES)
def test_a_name_there(preset: str, sdk: str, model: str, there: str | None) -> None:
    assert _endpoint(preset)["product"].name_there(model, sdk) == there


@pytest.mark.parametrize(("preset", "url", "anthropic"), URLS)
def test_an_address(preset: str, url: str, anthropic: str) -> None:
    endpoint = _endpoint(preset)
    assert (endpoint["url"], endpoint["anthropic"]) == (url, anthropic)
