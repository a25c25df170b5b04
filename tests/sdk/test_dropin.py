"""Our classes and modules can stand wherever the SDKs' own do: types, names, signatures, errors, module settings, imports."""

from __future__ import annotations

import copy
import gc
import inspect
import threading
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

import anthropic
import openai
import programs
import pytest
import recording
import ways
from recording import Origin
from shapes import CHAT, MESSAGE

import edgeclient
import edgeclient.anthropic
import edgeclient.openai
from edgeclient import Edge, Endpoint, noting
from edgeclient.http.hooks import Seam

CLASSES = [
    pytest.param(openai, "OpenAI", id="OpenAI"),
    pytest.param(openai, "AsyncOpenAI", id="AsyncOpenAI"),
    pytest.param(openai, "AzureOpenAI", id="AzureOpenAI"),
    pytest.param(openai, "AsyncAzureOpenAI", id="AsyncAzureOpenAI"),
    pytest.param(anthropic, "Anthropic", id="Anthropic"),
    pytest.param(anthropic, "AsyncAnthropic", id="AsyncAnthropic"),
    pytest.param(anthropic, "AnthropicBedrock", id="AnthropicBedrock"),
    pytest.param(anthropic, "AsyncAnthropicVertex", id="AsyncAnthropicVertex"),
]
SYNC = [pytest.param(openai, "OpenAI", id="OpenAI"), pytest.param(anthropic, "Anthropic", id="Anthropic")]
MIRRORS = {openai: edgeclient.openai, anthropic: edgeclient.anthropic}


def ours(sdk: ModuleType, name: str) -> Any:
    return getattr(MIRRORS[sdk], name)


def ask(client: Any) -> Any:
    if isinstance(client, openai.OpenAI):
        return client.chat.completions.create(**CHAT)  # type: ignore[call-overload]
    return client.messages.create(**MESSAGE)


# -- classes


@pytest.mark.parametrize(("sdk", "name"), CLASSES)
def test_a_client_class_is_a_subclass_with_the_sdks_name(sdk: ModuleType, name: str) -> None:
    theirs, mine = getattr(sdk, name), ours(sdk, name)
    assert issubclass(mine, theirs) and mine is not theirs
    assert (mine.__name__, mine.__qualname__, mine.__doc__) == (name, name, theirs.__doc__)
    assert mine.__module__ == MIRRORS[sdk].__name__
    assert mine is ours(sdk, name), "the class is made once"


@pytest.mark.parametrize(("sdk", "name"), CLASSES)
@pytest.mark.parametrize("method", ["__init__", "copy", "with_options"])
def test_signatures_are_the_sdks(sdk: ModuleType, name: str, method: str) -> None:
    theirs, mine = getattr(getattr(sdk, name), method), getattr(ours(sdk, name), method)
    assert inspect.signature(mine) == inspect.signature(theirs)


@pytest.mark.parametrize("name", ["OpenAI", "AsyncOpenAI", "Anthropic", "AsyncAnthropic"])
def test_classes_of_an_edge_are_ours(name: str) -> None:
    mine = getattr(edgeclient, name)
    client = getattr(Edge(notes=True), name)()
    assert isinstance(client, mine) and type(client).__name__ == name
    assert inspect.signature(type(client).__init__) == inspect.signature(mine.__init__)


@pytest.mark.parametrize(("sdk", "name"), SYNC)
def test_a_client_says_the_same_of_itself(sdk: ModuleType, name: str) -> None:
    with getattr(sdk, name)() as theirs, ours(sdk, name)() as mine:
        assert isinstance(mine, getattr(sdk, name))
        assert mine.user_agent == theirs.user_agent
        assert str(mine.base_url) == str(theirs.base_url)
        assert (
            repr(mine).partition(" at ")[0].rpartition(".")[2] == repr(theirs).partition(" at ")[0].rpartition(".")[2]
        )
        assert vars(mine).keys() - vars(theirs).keys() <= {"_edge"}


@pytest.mark.parametrize(("sdk", "name"), SYNC)
def test_a_wrong_argument_is_the_sdks_error(sdk: ModuleType, name: str) -> None:
    with pytest.raises(TypeError, match="wrong_argument") as theirs:
        getattr(sdk, name)(wrong_argument=1)
    with pytest.raises(TypeError, match="wrong_argument") as mine:
        ours(sdk, name)(wrong_argument=1)
    assert str(mine.value).rpartition(".")[2] == str(theirs.value).rpartition(".")[2]


@pytest.mark.filterwarnings("ignore:subclassing:DeprecationWarning")
@pytest.mark.parametrize(("sdk", "name"), SYNC)
@pytest.mark.parametrize("notes", [False, True])
def test_a_users_subclass_works(
    sdk: ModuleType, name: str, notes: bool, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    if notes:
        monkeypatch.setenv("EDGECLIENT_NOTES", "true")
    base = ours(sdk, name)

    class Mine(base):  # type: ignore[misc, valid-type]
        def __init__(self, *, team: str, **options: Any) -> None:
            self.team = team
            super().__init__(**options)

        @property
        def default_headers(self) -> Any:
            return {**super().default_headers, "X-Team": self.team}

    with Mine(team="red", base_url=_base(origin, sdk)) as client:
        answer = ask(client)
    assert origin.take()[0].header("x-team") == "red"
    assert (edgeclient.notes(answer) is not None) is notes


def _base(origin: Origin, sdk: ModuleType) -> str:
    return origin.v1 if sdk is openai else origin.url


@pytest.mark.parametrize(("sdk", "name"), SYNC)
def test_copies_keep_the_edge(sdk: ModuleType, name: str, origin: Origin) -> None:
    edge = Edge(notes=True)
    with getattr(edge, name)(base_url=_base(origin, sdk)) as client:
        for one in (client.copy(), client.with_options(timeout=3), client.with_options().copy(), copy.copy(client)):
            assert type(one) is type(client)
            assert edgeclient.notes(ask(one)) is not None
        assert edge.status().counts["calls"] == 4


@pytest.mark.parametrize(("sdk", "name"), SYNC)
def test_edges_do_not_mix(sdk: ModuleType, name: str, origin: Origin) -> None:
    first, second = Edge(notes=True), Edge(notes=True)
    with getattr(first, name)(base_url=_base(origin, sdk)) as client, getattr(second, name)():
        ask(client)
        with ours(sdk, name)(base_url=_base(origin, sdk)) as plain:
            assert edgeclient.notes(ask(plain)) is None
    assert first.status().counts["calls"] == 1
    assert not second.status().counts.get("calls")


@pytest.mark.parametrize(("sdk", "name"), SYNC)
@pytest.mark.parametrize("notes", [False, True])
def test_a_users_http_client_is_used_with_its_hooks(
    sdk: ModuleType, name: str, notes: bool, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    if notes:
        monkeypatch.setenv("EDGECLIENT_NOTES", "true")
    family = ways.own_family(sdk.__name__)
    passed: list[str] = []
    hooks = {"request": [lambda request: passed.append(request.method)], "response": [lambda r: passed.append("back")]}
    http_client = family.Client(event_hooks=hooks, headers={"x-from-http-client": "1"})
    with ours(sdk, name)(base_url=_base(origin, sdk), http_client=http_client) as client:
        assert client._client is http_client
        ask(client)
    assert passed == ["POST", "back"]
    assert origin.take()[0].header("x-from-http-client") == "1"
    assert http_client.is_closed


def test_a_response_hook_of_the_http_client_sees_each_attempt(origin: Origin, no_pauses: None) -> None:
    family = ways.own_family("openai")
    statuses: list[int] = []
    hooks = {"response": [lambda response: statuses.append(response.status_code)]}
    edge = Edge(notes=True)
    origin.fail(recording.status(500), recording.status(503))
    with edge.OpenAI(base_url=origin.v1, http_client=family.Client(event_hooks=hooks)) as client:
        ask(client)
    assert statuses == [500, 503, 200]


# -- errors


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (400, "BadRequestError"),
        (401, "AuthenticationError"),
        (403, "PermissionDeniedError"),
        (404, "NotFoundError"),
        (409, "ConflictError"),
        (422, "UnprocessableEntityError"),
        (429, "RateLimitError"),
        (500, "InternalServerError"),
    ],
)
@pytest.mark.parametrize(("sdk", "name"), SYNC)
def test_errors_are_the_sdks(sdk: ModuleType, name: str, code: int, error: str, origin: Origin) -> None:
    edge = Edge(notes=True)
    origin.always = recording.status(code)
    with getattr(edge, name)(base_url=_base(origin, sdk), max_retries=0) as client:
        with pytest.raises(getattr(sdk, error)) as caught:
            ask(client)
        assert type(caught.value) is getattr(sdk, error) is ours(sdk, error)
        assert caught.value.status_code == code
        assert caught.value.request_id == "req_e"


@pytest.mark.parametrize(("sdk", "name"), SYNC)
def test_a_refused_connection_is_the_sdks_error(sdk: ModuleType, name: str) -> None:
    with (
        recording.nobody() as url,
        getattr(Edge(notes=True), name)(base_url=url, max_retries=0) as client,
        pytest.raises(sdk.APIConnectionError) as caught,
    ):
        ask(client)
    assert type(caught.value.__cause__).__name__ == "ConnectError"
    assert type(caught.value.__cause__).__module__.startswith(ways.own_family(sdk.__name__).__name__)


# -- modules


@pytest.mark.parametrize("sdk", [openai, anthropic])
def test_every_public_name_of_the_module_is_there(sdk: ModuleType) -> None:
    mirror = MIRRORS[sdk]
    public = [name for name in dir(sdk) if not name.startswith("_")]
    assert len(public) > 50
    assert set(public) <= set(dir(mirror))
    assert mirror.__all__ == sdk.__all__
    for name in public:
        theirs = getattr(sdk, name)
        if type(theirs).__name__ == "APIRemovedInV1Proxy":
            continue  # the names of openai 0.x, see test_once_broken
        value = getattr(mirror, name)
        kinds = {kind.__name__ for kind in theirs.__mro__} if isinstance(theirs, type) else set()
        if kinds & {"SyncAPIClient", "AsyncAPIClient"}:
            assert value is not theirs and issubclass(value, theirs) and issubclass(value, Seam), name
        elif "LazyProxy" in {kind.__name__ for kind in type.mro(type(theirs))}:
            assert type(value) is not type(theirs) and issubclass(type(value), type(theirs)), name
        else:
            assert value is theirs, name


@pytest.mark.parametrize(("sdk", "name"), SYNC)
def test_client_and_async_client_are_the_short_names(sdk: ModuleType, name: str) -> None:
    assert ours(sdk, "Client") is ours(sdk, name)
    assert ours(sdk, "AsyncClient") is ours(sdk, f"Async{name}")


@pytest.mark.parametrize("sdk", [openai, anthropic])
def test_star_import_brings_our_clients(sdk: ModuleType) -> None:
    names: dict[str, Any] = {}
    exec(f"from edgeclient.{sdk.__name__} import *", names)
    assert set(sdk.__all__) <= set(names)
    assert names["Client"] is ours(sdk, "Client")


@pytest.mark.parametrize("sdk", [openai, anthropic])
def test_an_unknown_name_is_an_attribute_error(sdk: ModuleType) -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        MIRRORS[sdk].no_such_name


def test_edgeclient_shows_what_it_has() -> None:
    assert set(edgeclient.__all__) <= set(dir(edgeclient))
    for name in edgeclient.__all__:
        assert getattr(edgeclient, name) is not None
    with pytest.raises(AttributeError, match="no_such_name"):
        edgeclient.no_such_name


@pytest.mark.parametrize("name", ["api_key", "base_url", "organization", "timeout", "max_retries", "default_headers"])
def test_module_settings_are_the_sdks(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openai, name, getattr(openai, name))  # restored at the end
    setattr(edgeclient.openai, name, "set in ours")
    assert getattr(openai, name) == "set in ours"
    setattr(openai, name, "set in theirs")
    assert getattr(edgeclient.openai, name) == "set in theirs"


@pytest.fixture
def module_client(origin: Origin, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Both modules talk to the origin, with a client of their own that is closed at the end."""
    monkeypatch.setattr(openai, "http_client", None)
    monkeypatch.setattr(openai, "base_url", f"{origin.v1}/")
    monkeypatch.setattr(openai, "api_key", "sk-module")
    openai._reset_client()
    yield
    openai._load_client().close()
    openai._reset_client()


def test_module_level_calls_pass_the_default_edge(
    module_client: None, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGECLIENT_CACHE", "exact")
    said = [edgeclient.notes(edgeclient.openai.chat.completions.create(**CHAT)) for _ in range(2)]
    assert [notes.cache for notes in said if notes] == ["miss", "hit"]
    assert len(origin.take()) == 1


def test_module_level_settings_count_for_the_next_call(
    module_client: None, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = edgeclient.openai
    module.chat.completions.create(**CHAT)
    monkeypatch.setattr(openai, "api_key", "sk-second")
    module.chat.completions.create(**CHAT)
    seen = [request.header("authorization") for request in origin.take()]
    assert seen == ["Bearer sk-module", "Bearer sk-second"]


def test_other_users_of_openai_are_unaffected(
    module_client: None, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGECLIENT_CACHE", "exact")
    edgeclient.openai.chat.completions.create(**CHAT)
    with openai.OpenAI(base_url=origin.v1) as client:
        for answer in (client.chat.completions.create(**CHAT), openai.chat.completions.create(**CHAT)):  # type: ignore[call-overload]
            assert edgeclient.notes(answer) is None
    assert len(origin.take()) == 3
    assert openai.OpenAI.__module__ == "openai" and type(openai._load_client()).__module__ == "openai"


def test_anthropics_own_classes_are_untouched() -> None:
    """Our patch of `_is_base_client` says yes to the SDK's two classes, to ours, and to nobody else's."""
    from anthropic import _client

    is_base = _client._is_base_client

    class Mine(anthropic.Anthropic):
        pass

    class MineOfOurs(edgeclient.Anthropic):
        pass

    with anthropic.Anthropic() as theirs, edgeclient.Anthropic() as mine, Edge(notes=True).Anthropic() as bound:
        assert is_base(theirs) and is_base(mine) and is_base(bound)
    for kind in (Mine, MineOfOurs):
        assert not is_base(object.__new__(kind))


def test_a_resource_of_the_module_can_be_patched() -> None:
    before = openai.chat
    with mock.patch("edgeclient.openai.chat") as patched:
        assert edgeclient.openai.chat is patched and openai.chat is before
    assert type(edgeclient.openai.chat).__name__ == "ChatProxy"


def test_notes_go_when_their_answer_goes(origin: Origin) -> None:
    with Edge(notes=True).OpenAI(base_url=origin.v1) as client:
        kept = [client.chat.completions.create(**CHAT) for _ in range(3)]
        held = len(noting._beside)
        assert held >= 3
        kept.clear()
        gc.collect()
        assert len(noting._beside) == held - 3


# -- imports, threads, forks


def test_importing_edgeclient_imports_neither_sdk_nor_pydantic(tmp_path: Path) -> None:
    programs.run(
        """
        import sys, threading
        import edgeclient
        edgeclient.notes(object()), edgeclient.SettingsError
        heavy = {"openai", "anthropic", "pydantic", "httpx", "httpx2", "anyio"} & set(sys.modules)
        assert not heavy, heavy
        assert threading.active_count() == 1
        """,
        tmp_path,
    )


@pytest.mark.parametrize(("name", "other"), [("OpenAI", "anthropic"), ("Anthropic", "openai")])
def test_one_sdk_does_not_import_the_other(name: str, other: str, tmp_path: Path) -> None:
    programs.run(
        f"""
        import sys
        from edgeclient import {name}
        with {name}() as client:
            pass
        assert {other!r} not in sys.modules
        assert "edgeclient.pipeline" not in sys.modules and "edgeclient.edge" not in sys.modules
        """,
        tmp_path,
    )


def test_an_inactive_client_never_imports_the_pipeline(tmp_path: Path) -> None:
    programs.run(
        """
        import sys
        from recording import Origin
        from edgeclient import OpenAI
        with Origin() as origin, OpenAI(base_url=origin.v1) as client:
            assert client.chat.completions.create(model="m", messages=[]).choices
        assert "edgeclient.pipeline" not in sys.modules and "edgeclient.edge" not in sys.modules
        """,
        tmp_path,
    )


def test_only_the_family_of_the_sdk_is_imported(tmp_path: Path) -> None:
    """A client of the plain SDK imports one family; ours imports no other."""
    program = """
        import sys
        from {module} import OpenAI
        with OpenAI() as client:
            pass
        print(sorted({{"httpx", "httpx2"}} & set(sys.modules)))
        """
    ours = programs.run(program.format(module="edgeclient"), tmp_path, EDGECLIENT_NOTES="true")
    assert ours == programs.run(program.format(module="openai"), tmp_path)


@pytest.mark.parametrize("sdk", ["openai", "anthropic"])
def test_nothing_starts_at_construction(sdk: str) -> None:
    before = threading.active_count()
    edge = Edge(
        endpoints=[Endpoint("http://127.0.0.1:9/v1"), Endpoint("http://127.0.0.1:8/v1")], key="none", cache="exact"
    )
    with edge.OpenAI() if sdk == "openai" else edge.Anthropic():
        pass
    assert threading.active_count() == before


def test_a_forked_child_calls_while_its_parent_holds_the_locks(tmp_path: Path) -> None:
    """Every lock of an edge is held at the fork, as by a thread that the child does not have."""
    said = programs.run(
        """
        import os, sys, threading, warnings
        warnings.filterwarnings("ignore", message=".*fork.*", category=DeprecationWarning)  # Python 3.12 warns of threads
        from contextlib import ExitStack
        from recording import Origin
        import edgeclient
        from edgeclient import Edge, default
        os.environ["EDGECLIENT_NOTES"] = "true"
        origin = Origin()
        edge = Edge(cache="exact")
        ask = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}
        with edge.OpenAI(base_url=origin.v1) as client:
            client.chat.completions.create(**ask)
        own = edge.policies
        owners = (default, own, own.store, own.selector, own.flights, own.telemetry, edge, edge.prober)
        kinds = type(threading.Lock()), type(threading.RLock())
        found = [getattr(owner, name, None) for owner in owners for name in dir(owner) if not name.startswith("__")]
        locks = list({id(one): one for one in found if isinstance(one, kinds)}.values())
        assert len(locks) >= 4, locks
        with ExitStack() as held:
            for lock in locks:
                held.enter_context(lock)
            sys.stdout.flush()
            child = os.fork()
            if child == 0:
                import faulthandler
                faulthandler.dump_traceback_later(20, exit=True)  # a deadlock says where, and ends
                for one in (edge, edgeclient):
                    with one.OpenAI(base_url=origin.v1) as client:
                        for _ in range(2):
                            notes = edgeclient.notes(client.chat.completions.create(**ask))
                            print(notes.cache, flush=True)
                print(edge.status().counts["calls"], edge.prober.start([], None), flush=True)
                os._exit(0)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0
        origin.close()
        """,
        tmp_path,
    )
    assert said.split() == ["miss", "hit", "off", "off", "2", "False"]
