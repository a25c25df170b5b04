"""The systems at AWS beyond what all have: keys that were signed here, and what SageMaker alone needs."""

from __future__ import annotations

import pytest
from openai import PermissionDeniedError

import edgeclient
from edgeclient.lab.systems.bedrock import Bedrock
from edgeclient.lab.systems.sagemaker import SageMaker
from edgeclient.lab.systems.serving import Serving
from edgeclient.routing import presets

from .asking import ask
from .conftest import client_of

pytestmark = pytest.mark.anyio

SAGEMAKER = "sagemaker:eu-central-1/llama?model=llama-3.1-8b-instruct"


async def test_sagemaker_takes_the_key_that_was_signed(credentials: None, colour: str) -> None:
    with Serving(SageMaker("no key of anybody")) as serving:
        edge = edgeclient.Edge(endpoints=[f"{SAGEMAKER}&host={serving.url}"], origin="never", probe=False)
        async with client_of(edge, "chat", colour) as client:
            notes = edgeclient.notes(await ask(client, "chat", "llama-3.1-8b-instruct"))
    assert notes is not None and [a.outcome for a in notes.tried] == ["ok"]


async def test_bedrock_takes_the_key_that_was_signed(credentials: None, colour: str) -> None:
    with Serving(Bedrock("no key of anybody")) as serving:
        edge = edgeclient.Edge(endpoints=[f"bedrock:eu-central-1?host={serving.url}"], origin="never", probe=False)
        async with client_of(edge, "messages", colour) as client:
            notes = edgeclient.notes(await ask(client, "messages", "claude-sonnet-5"))
    assert notes is not None and [a.outcome for a in notes.tried] == ["ok"]


async def test_a_key_for_another_region_is_refused(credentials: None) -> None:
    elsewhere = SAGEMAKER.replace("eu-central-1", "us-east-1")
    with Serving(SageMaker("no key of anybody")) as serving:
        edge = edgeclient.Edge(endpoints=[f"{elsewhere}&host={serving.url}"], origin="never", probe=False)
        async with client_of(edge, "chat", "sync") as client:
            with pytest.raises(PermissionDeniedError, match="CallWithBearerToken"):
                await ask(client, "chat", "llama-3.1-8b-instruct")


def test_without_credentials_the_edge_says_what_is_missing() -> None:
    with pytest.raises(edgeclient.SettingsError, match="AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY not set"):
        edgeclient.Edge(endpoints=[SAGEMAKER])


def test_a_key_of_ones_own_needs_no_credentials() -> None:
    edgeclient.Edge(endpoints=[{"url": SAGEMAKER, "key": lambda: "mine"}], probe=False)


@pytest.mark.parametrize(
    ("preset", "asked", "serves"),
    [
        ("llama", "llama", True),
        ("llama", "llama-3.1-8b-instruct", False),  # nobody said that it has that
        ("llama-3.1-8b-instruct", "@cf/meta/llama-3.1-8b-instruct", False),
        ("shared?component=qwen", "qwen", True),
        ("shared?component=qwen", "shared", False),
    ],
)
def test_an_endpoint_at_sagemaker_is_meant_by_its_name(
    credentials: None, preset: str, asked: str, serves: bool
) -> None:
    (endpoint,) = presets.expand(f"sagemaker:eu-central-1/{preset}")
    assert endpoint["product"].name_there(asked, "openai") == (asked if serves else None)


async def test_the_name_of_an_endpoint_is_not_sent_as_that_of_a_model(credentials: None, colour: str) -> None:
    """The address says it already, and vLLM knows no such model."""
    with Serving(SageMaker("no key of anybody")) as serving:
        preset = f"sagemaker:eu-central-1/llama?host={serving.url}"
        edge = edgeclient.Edge(endpoints=[preset], origin="never", probe=False)
        async with client_of(edge, "chat", colour) as client:
            notes = edgeclient.notes(await ask(client, "chat", "llama"))
        assert notes is not None and notes.endpoint == "sagemaker-eu-central-1-llama"
        assert [heard.body["model"] for heard in serving.emulator.seen] == [""]


async def test_what_a_system_does_not_speak_is_not_asked_of_it(credentials: None) -> None:
    """Embeddings of a model that SageMaker was said to serve: it routes chat completions only."""
    with Serving(SageMaker("x")) as serving:
        edge = edgeclient.Edge(endpoints=[f"{SAGEMAKER}&host={serving.url}"], origin="never", probe=False)
        async with client_of(edge, "embeddings", "sync") as client:
            with pytest.raises(edgeclient.RouteError, match="no endpoint serves POST /embeddings"):
                await ask(client, "embeddings", "llama-3.1-8b-instruct")
        assert not serving.emulator.seen


async def test_a_stream_in_json_lines_is_no_answer(credentials: None, colour: str) -> None:
    """LMI containers stream so. The call goes on at the next endpoint instead of failing in the SDK's parser."""
    with Serving(SageMaker("x")) as lines, Serving(SageMaker("x")) as good:
        lines.emulator.json_lines = True  # type: ignore[attr-defined]
        edge = edgeclient.Edge(
            endpoints=[
                {"url": f"{SAGEMAKER}&host={serving.url}", "name": name}
                for name, serving in (("lines", lines), ("good", good))
            ],
            origin="never",
            probe=False,
        )
        async with client_of(edge, "chat", colour) as client:
            notes = edgeclient.notes(await ask(client, "stream", "llama-3.1-8b-instruct"))
    assert notes is not None
    assert [(a.endpoint, a.outcome) for a in notes.tried] == [
        ("lines", "http_response_content_type_error"),
        ("good", "ok"),
    ]
