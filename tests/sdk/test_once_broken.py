"""What was broken once: each of these failed when it was written, and was mended then."""

from __future__ import annotations

from typing import Any
from unittest import mock

import openai
import pytest
import recording
from openai.lib._old_api import APIRemovedInV1
from recording import Origin
from shapes import CHAT
from talking import Net, ask

import edgeclient
import edgeclient.openai
from edgeclient import Edge, Endpoint, RouteError, SettingsError

# -- the mirror


def test_names_of_openai_0_say_what_replaced_them() -> None:
    """`openai.ChatCompletion` is a lazy proxy too; calling it explains the migration."""
    with pytest.raises(APIRemovedInV1):
        openai.ChatCompletion.create()
    with pytest.raises(APIRemovedInV1):
        edgeclient.openai.ChatCompletion.create()


def test_a_module_setting_can_be_patched_and_is_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """`mock.patch` deletes an attribute that is not in the module's own dictionary, and then sets it again."""
    monkeypatch.setattr(openai, "organization", "before")
    with mock.patch("edgeclient.openai.organization", "patched"):
        assert openai.organization == "patched"
    assert openai.organization == edgeclient.openai.organization == "before"


# -- the edge of a copy


@pytest.mark.parametrize("make", ["copy", "with_options"])
def test_a_copy_keeps_the_default_edge_when_the_surroundings_changed(
    make: str, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGECLIENT_NOTES", "true")
    with edgeclient.OpenAI(base_url=origin.v1) as client:
        monkeypatch.delenv("EDGECLIENT_NOTES")
        answer = getattr(client, make)().chat.completions.create(**CHAT)
    assert edgeclient.notes(answer) is not None


# -- never worse than the plain SDK


@pytest.mark.anyio
async def test_a_key_that_cannot_be_read_costs_its_endpoint_not_the_call(net: Net) -> None:
    def key() -> str:
        raise OSError("the vault is down")

    said = await ask(net.client(net.edge(net.endpoint("fra", key=key), "nyc")))
    assert said.text == "hello from nyc"


@pytest.mark.anyio
async def test_a_key_that_is_no_header_value_costs_its_endpoint_not_the_call(net: Net) -> None:
    """A key that was read from a file with its newline. h11 refuses the request before it is sent."""
    said = await ask(net.client(net.edge(net.endpoint("fra", key=lambda: "ek-1\n"), "nyc")))
    assert said.text == "hello from nyc"


@pytest.mark.anyio
async def test_a_response_hook_that_raises_for_a_status_is_a_failure_of_that_endpoint(net: Net) -> None:
    def raising(response: Any) -> None:
        response.raise_for_status()

    async def raising_later(response: Any) -> None:
        response.raise_for_status()

    net.endpoints["fra"].always = recording.status(503)
    hooks = {"response": [raising_later if net.way.is_async else raising]}
    said = await ask(net.client(net.edge("fra", "nyc"), http={"event_hooks": hooks}))
    assert said.text == "hello from nyc"


# -- errors


@pytest.mark.anyio
async def test_a_route_error_reaches_the_user(net: Net) -> None:
    """As `RouteError`, not retried: openai < 3 and every anthropic wrap what is not theirs as APIConnectionError."""
    client = net.client(net.edge(net.endpoint("fra", models=["other"]), origin="never"), max_retries=2)
    with pytest.raises(RouteError, match="no endpoint serves"):
        await ask(client)
    assert client._edge.status().counts["calls"] == 1, "a second try cannot end otherwise"


class Mocked:
    """As a `MagicMock`: it has every attribute, and each is another mock."""

    def __init__(self, depth: int = 0) -> None:
        self._depth = depth

    @property
    def response(self) -> Mocked:
        assert self._depth < 10, "notes() follows a mock without end"
        return Mocked(self._depth + 1)


def test_notes_of_a_mock_are_none() -> None:
    """Tests of our users hand mocks around."""
    assert edgeclient.notes(Mocked()) is None


# -- keys and URLs


@pytest.mark.anyio
async def test_credentials_in_the_query_stay_with_their_host(net: Net) -> None:
    client = net.client(net.edge("fra", key="none"), default_query={"api-key": "THE-QUERY-SECRET", "v": "1"})
    await ask(client)
    (request,) = net.endpoints["fra"].take()
    assert "THE-QUERY-SECRET" not in request.target and "v=1" in request.target


def test_a_password_in_an_endpoints_url_is_shown_nowhere() -> None:
    """The name that is made from the URL goes into notes, Proxy-Status headers, events and logs."""
    edge = Edge(endpoints=["https://user:PASSW0RD@fra.example.com/v1"], key="none")
    assert "PASSW0RD" not in edge.status().endpoints[0].name
    assert "PASSW0RD" not in repr(edge.status())


@pytest.mark.parametrize("url", ["https://fra.example.com/v1?api-version=1", "https://fra.example.com/v1#part"])
def test_an_endpoints_url_with_a_query_is_refused(url: str) -> None:
    """Paths are put behind it: `/v1?api-version=1/chat/completions`, which every server answers with 404 (an answer)."""
    with pytest.raises(SettingsError, match=r"query|fragment"):
        Edge(endpoints=[url], key="none")


def test_an_endpoint_may_not_take_the_name_of_the_origin() -> None:
    """Health and RTT are kept by name: one called "origin" would share them with the client's own origin."""
    with pytest.raises(SettingsError, match="origin"):
        Edge(endpoints=[Endpoint("https://fra.example.com/v1", name="origin")], key="none")
