"""A key goes to no host it was not given for: every byte that a server saw is searched for it."""

from __future__ import annotations

from typing import Any

import openai
import pytest
import recording
import ways
from recording import Origin
from shapes import CHAT
from talking import FORMS, SECRET, Net, ask

from edgeclient import Edge, Endpoint
from edgeclient.openai import AzureOpenAI

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.usefixtures("no_pauses"),
    pytest.mark.filterwarnings("ignore:Async generator:ResourceWarning"),  # of both plain SDKs too, on trio
]

EDGE_KEY = "ek-GIVEN-TO-THE-ENDPOINT"
ELSEWHERE = "third.example.com"


def leaks(net: Net, secret: str) -> set[str]:
    """The servers that saw a secret."""
    return {server.name for server in net.servers() if server.saw(secret)}


@pytest.mark.parametrize("form", FORMS)
async def test_a_passthrough_endpoint_gets_the_callers_key(net: Net, form: str) -> None:
    await ask(net.client(net.edge("fra", key="passthrough")), form)
    assert leaks(net, SECRET) == {"fra"}


@pytest.mark.parametrize("form", FORMS)
async def test_an_endpoint_without_a_key_gets_none(net: Net, form: str) -> None:
    await ask(net.client(net.edge("fra", key="none")), form)
    (request,) = net.endpoints["fra"].take()
    assert not [name for name, _ in request.headers if name.lower() in ("authorization", "x-api-key")]
    assert not leaks(net, SECRET)


@pytest.mark.parametrize("kind", ["env", "callable"])
async def test_an_endpoint_with_a_key_of_its_own_gets_that(
    net: Net, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FRA_KEY", EDGE_KEY)
    key: Any = "env:FRA_KEY" if kind == "env" else lambda: EDGE_KEY
    await ask(net.client(net.edge(net.endpoint("fra", key=key))))
    assert (leaks(net, EDGE_KEY), leaks(net, SECRET)) == ({"fra"}, set())
    (request,) = net.endpoints["fra"].take()
    await ask(net.client(ways.SDKS[net.sdk]))
    (plain,) = net.origin.take()
    said = {name.lower(): value.replace(SECRET, EDGE_KEY) for name, value in plain.headers if SECRET in value}
    assert {name.lower(): value for name, value in request.headers if EDGE_KEY in value} == said, (
        "where the SDK says its own"
    )


async def test_a_key_is_read_at_each_call(net: Net, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRA_KEY", "ek-first")
    client = net.client(net.edge(net.endpoint("fra", key="env:FRA_KEY")))
    await ask(client)
    monkeypatch.setenv("FRA_KEY", "ek-second")
    await ask(client)
    first, second = net.endpoints["fra"].take()
    assert b"ek-first" in first.raw and b"ek-second" in second.raw and b"ek-first" not in second.raw


async def test_on_failover_each_host_sees_its_own_key_only(net: Net, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRA_KEY", "ek-FRA")
    monkeypatch.setenv("NYC_KEY", "ek-NYC")
    for name in ("fra", "nyc", "bom"):
        net.endpoints[name].always = recording.status(500)
    edge = net.edge(
        net.endpoint("fra", key="env:FRA_KEY"),
        net.endpoint("nyc", key="env:NYC_KEY"),
        net.endpoint("bom", key="none"),
        max_attempts=4,
    )
    said = await ask(net.client(edge))
    assert said.text == "hello from origin" and len(said.notes.tried) == 4
    assert leaks(net, "ek-FRA") == {"fra"}
    assert leaks(net, "ek-NYC") == {"nyc"}
    assert leaks(net, SECRET) == {"origin"}


_PERSONAL = {
    "Cookie": "session=THE-COOKIE-SECRET",
    "X-Auth-Token": "THE-COOKIE-SECRET",
    "X-Company-Secret": "THE-COOKIE-SECRET",
    "Proxy-Authorization": "Basic THE-COOKIE-SECRET",
    "X-Amz-Security-Token": "THE-COOKIE-SECRET",
    "X-Goog-Api-Key": "THE-COOKIE-SECRET",
}


@pytest.mark.parametrize("key", ["passthrough", "none"])
async def test_headers_that_carry_other_credentials_stay_away(net: Net, key: str) -> None:
    client = net.client(net.edge("fra", key=key), default_headers=_PERSONAL)
    await ask(client)
    assert not leaks(net, "THE-COOKIE-SECRET")
    net.endpoints["fra"].always = recording.html()
    await ask(client)
    assert leaks(net, "THE-COOKIE-SECRET") == {"origin"}


async def test_cookies_of_the_http_client_stay_away(net: Net) -> None:
    client = net.client(net.edge("fra"), http={"cookies": {"session": "THE-COOKIE-SECRET"}})
    await ask(client)
    assert net.seen() == {"fra": 1} and not leaks(net, "THE-COOKIE-SECRET")


@pytest.mark.parametrize("sdk", ["openai"])
@pytest.mark.parametrize(("key", "told"), [("passthrough", {"fra"}), ("none", set()), ("env:FRA_KEY", set())])
async def test_the_callers_account_goes_where_its_key_goes(
    net: Net, key: str, told: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FRA_KEY", EDGE_KEY)
    await ask(net.client(net.edge("fra", key=key), organization="org-MINE", project="proj-MINE"))
    assert leaks(net, "org-MINE") == leaks(net, "proj-MINE") == told


@pytest.mark.parametrize("key", ["passthrough", "env:FRA_KEY"])
@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
async def test_a_redirect_of_an_endpoint_carries_no_key_anywhere(
    net: Net, code: int, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FRA_KEY", EDGE_KEY)
    with Origin("elsewhere") as elsewhere:
        net.others[ELSEWHERE] = elsewhere
        net.endpoints["fra"].always = recording.redirect(f"https://{ELSEWHERE}/v1/chat/completions", code)
        said = await ask(net.client(net.edge("fra", key=key)))
        assert said.text == "hello from origin" and not elsewhere.seen


async def test_a_redirect_carries_no_key_when_nothing_else_is_left(net: Net) -> None:
    with Origin("elsewhere") as elsewhere:
        net.others[ELSEWHERE] = elsewhere
        net.endpoints["fra"].always = recording.redirect(f"https://{ELSEWHERE}/v1/messages")
        with pytest.raises(ways.SDKS[net.sdk].APIConnectionError):
            await ask(net.client(net.edge("fra", origin="never")))
        assert not elsewhere.seen


class _FromAFlow:
    """An auth flow of the HTTP client: the credential is in no request that the SDK builds."""

    def __new__(cls, family: Any) -> Any:
        def flow(self: Any, request: Any) -> Any:
            request.headers["Authorization"] = "Bearer sk-FROM-THE-FLOW"
            yield request

        return type("Flow", (family.Auth,), {"auth_flow": flow})()


async def test_a_client_with_a_hidden_credential_is_never_re_routed(net: Net) -> None:
    family = ways.own_family(net.sdk)
    client = net.client(net.edge("fra", cache="exact"), http={"auth": _FromAFlow(family)})
    said = [await ask(client) for _ in range(2)]
    assert [one.text for one in said] == ["hello from origin"] * 2
    assert len(net.origin.seen) == 2, "callers cannot be told apart: nothing is cached"
    assert leaks(net, "sk-FROM-THE-FLOW") == {"origin"}


async def test_not_even_when_the_origin_is_shut(net: Net) -> None:
    family = ways.own_family(net.sdk)
    client = net.client(net.edge("fra", origin="never"), http={"auth": _FromAFlow(family)})
    assert (await ask(client)).text == "hello from origin"


@pytest.mark.parametrize("sdk", ["openai"])
async def test_a_workload_identity_is_never_re_routed(net: Net) -> None:
    """Its token is exchanged and set below our seam."""
    identity = {
        "client_id": "c",
        "identity_provider_id": "p",
        "service_account_id": "s",
        "provider": {"token_type": "jwt", "get_token": lambda: "subject"},
    }
    client = net.client(net.edge("fra", cache="exact"), api_key=None, workload_identity=identity)
    exchange = client._workload_identity_auth

    async def later() -> str:
        return "tok-EXCHANGED"

    exchange.get_token, exchange.get_token_async = lambda: "tok-EXCHANGED", later
    said = await ask(client)
    assert (said.text, said.notes.key) == ("hello from origin", "")
    assert leaks(net, "tok-EXCHANGED") == {"origin"}


async def test_a_request_that_is_signed_is_never_re_routed(net: Net) -> None:
    client = net.client(net.edge("fra"))
    said = await ask(client, extra_headers={"Authorization": "AWS4-HMAC-SHA256 Credential=x"})
    assert said.text == "hello from origin"


async def test_secrets_are_in_no_repr_status_or_event(net: Net, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRA_KEY", EDGE_KEY)
    edge = net.edge(net.endpoint("fra", key="env:FRA_KEY"), cache="exact")
    said = await ask(net.client(edge))
    shown = repr((edge, edge.settings, edge.policies.endpoints, edge.status(), edge.events(), said.notes))
    assert EDGE_KEY not in shown and SECRET not in shown


def test_an_azure_client_keeps_its_key_and_origin(origin: Origin) -> None:
    with Origin("fra") as fra:
        edge = Edge(endpoints=[Endpoint(fra.v1)], key="passthrough", cache="exact", probe=False)
        options = {"azure_endpoint": origin.url, "api_version": "2025-01-01", "api_key": "azure-key", "max_retries": 0}
        kind = type("Bound", (AzureOpenAI,), {"_bound_edge": edge})
        with kind(**options) as client:
            for _ in range(2):
                client.chat.completions.create(**CHAT)
        assert isinstance(client, openai.AzureOpenAI)
        assert len(origin.take()) == 1 and not fra.seen


async def test_the_key_of_an_endpoint_is_asked_for_once_per_attempt(net: Net) -> None:
    asked: list[int] = []

    def key() -> str:
        asked.append(1)
        return EDGE_KEY

    client = net.client(net.edge(net.endpoint("fra", key=key)))
    await ask(client)
    assert len(asked) == 1
