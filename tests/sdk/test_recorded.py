"""`recorded`: a second run gives what the first one gave, in every way to call, and asks nobody."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import programs
import pytest
import recording
import ways
from recording import Origin
from shapes import SHAPES, Shape, perform
from talking import SECRET, Net, ask
from test_transparency import MIRRORS, construct, run
from ways import settled

import edgeclient
from edgeclient import SettingsError
from edgeclient.testing import Recorded, RecordingError, UnknownCall, recorded

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.usefixtures("no_pauses"),
    pytest.mark.filterwarnings("ignore:Async generator:ResourceWarning"),  # of both plain SDKs too, on trio
]

_SEES_HEADERS = ("raw", "lines", "parts", "native")  # a recording keeps some headers only, and no HTTP version


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.id)
async def test_a_second_run_gives_what_the_first_one_gave(
    shape: Shape, way_name: str, origin: Origin, tmp_path: Path
) -> None:
    family = ways.own_family(shape.sdk)
    async with ways.opened(way_name) as way:
        plain, _ = await run(ways.SDKS[shape.sdk], shape, way, origin, family)
        with recorded(tmp_path / "a.json") as first:
            had, requests = await run(MIRRORS[shape.sdk], shape, way, origin, family)
        assert first.recording and requests
        if shape.how not in _SEES_HEADERS and shape.id != "redirect":
            assert had == _above_the_library(plain, shape)
        client = construct(MIRRORS[shape.sdk], shape, way, origin)
        with recorded(tmp_path / "a.json", unused="fail", repeats="fail") as second:
            again = await perform(client, shape, family)
        assert not second.recording and not origin.take()
        assert again == had


def _above_the_library(outcome: Any, shape: Shape) -> Any:
    """An error without what is below the HTTP library's own exception: a recording has none of that."""
    if not (shape.faults() and len(outcome) == 4 and isinstance(outcome[3], list)):
        return outcome
    *said, causes = outcome
    return (*said, [cause for cause in causes if cause.__module__.partition(".")[0] in ("httpx", "httpx2")])


# -- what is written


def chat_client(origin: Origin, way: ways.Way, **more: Any) -> Any:
    client = way.cls(edgeclient.openai, "OpenAI")
    return way.keep(client(**{"api_key": SECRET, "base_url": origin.v1, "max_retries": 0, **more}))


async def test_a_recording_can_be_read_and_does_not_change(origin: Origin, way: ways.Way, tmp_path: Path) -> None:
    texts = []
    for _ in range(2):
        with recorded(tmp_path / "a.json", record=True):
            client = chat_client(origin, way, organization="org-THE-COMPANY", project="proj-THE-TEAM")
            await ask(client, "plain", extra_query={"api-key": "QUERY-SECRET", "v": "1"})
            await ask(client, "stream")
        texts.append((tmp_path / "a.json").read_text("utf-8"))
    assert texts[0] == texts[1] and texts[0].endswith("}\n")
    for secret in (SECRET, "org-THE-COMPANY", "proj-THE-TEAM", "QUERY-SECRET"):
        assert secret not in texts[0] and origin.saw(secret)
    said = json.loads(texts[0])
    assert said["kind"] == "edgeclient recording" and said["version"] == 1
    plain, stream = said["calls"]
    assert plain["request"] == {
        "host": "localhost",
        "json": {"messages": [{"content": "How far is Frankfurt?", "role": "user"}], "model": "gpt-4o"},
        "method": "POST",
        "path": "/v1/chat/completions",
        "query": [["api-key", "SCRUBBED"], ["v", "1"]],
    }
    assert list(plain["answer"]) == ["status", "headers", "json"] and next(iter(plain["answer"]["json"])) == "id"
    assert plain["answer"]["headers"] == {
        "content-type": "application/json", "x-request-id": "req_1", "request-id": "req_1",
    }  # fmt: skip
    assert stream["answer"]["events"][0].startswith("data: {") and stream["answer"]["events"][-2] == "data: [DONE]"


async def test_what_is_scrubbed_is_in_no_file_and_still_matches(origin: Origin, way: ways.Way, tmp_path: Path) -> None:
    echo = json.dumps({"error": {"message": f'key {SECRET} of "Ann\\Lee" is unknown', "code": "bad"}}).encode()
    scrub = ['"Ann\\Lee"', re.compile(r"session-\d+")]

    async def asked(session: int, path: Path) -> str:
        client = chat_client(origin, way)
        with recorded(path, scrub=scrub), pytest.raises(edgeclient.openai.AuthenticationError) as raised:
            await ask(client, "plain", f'I am "Ann\\Lee", session-{session}, key {SECRET}')
        return str(raised.value)

    origin.fail(recording.says(echo, code=401))
    first = await asked(17, tmp_path / "a.json")
    text = (tmp_path / "a.json").read_text()
    assert not [word for word in (SECRET, "Ann", "session-17") if word in text] and text.count("SCRUBBED") == 5
    assert await asked(99, tmp_path / "a.json") == first and "key SCRUBBED of SCRUBBED is unknown" in first
    assert len(origin.take()) == 1


async def test_secrets_are_taken_out_of_streams_and_bytes(origin: Origin, way: ways.Way, tmp_path: Path) -> None:
    body = b'data: {"choices":[],"who":"\\"A\\""}\n\ndata: [DONE]\n\n'
    origin.fail(recording.says(body, "text/event-stream"), recording.says(b"\xff\0 s3cr3t \xfe", "audio/mpeg"))
    with recorded(tmp_path / "a.json", scrub=['"A"', "s3cr3t"]):
        client = chat_client(origin, way)
        await ask(client, "stream")
        answer = await settled(client.audio.speech.create(model="tts-1", voice="alloy", input="hi"))
        assert await settled(answer.read()) == b"\xff\0 SCRUBBED \xfe"
    said = json.loads((tmp_path / "a.json").read_text())
    assert said["calls"][0]["answer"]["events"][0] == 'data: {"choices":[],"who":"SCRUBBED"}'
    assert said["calls"][1]["answer"]["base64"] == ["/wAgU0NSVUJCRUQg/g=="]


async def test_a_secret_that_would_be_written_stops_the_writing(origin: Origin, way: ways.Way, tmp_path: Path) -> None:
    """Inside of a name of a header that is kept: there nothing is replaced."""
    origin.extra_headers = [("x-ratelimit-s3cr3t", "1")]
    with pytest.raises(RecordingError, match="a secret would be in it"), recorded(tmp_path / "a.json", scrub="s3cr3t"):
        await ask(chat_client(origin, way))
    assert not list(tmp_path.iterdir())


async def test_further_headers_are_kept_by_name(origin: Origin, way: ways.Way, tmp_path: Path) -> None:
    origin.extra_headers = [
        ("OpenAI-Version", "2020-10-01"),
        ("set-cookie", "a=s3cr3t"),
        ("x-ratelimit-limit-tokens", "9"),
    ]
    for _ in range(2):
        with recorded(tmp_path / "a.json", headers=["openai-Version"]):
            answer = (await ask(chat_client(origin, way), "raw")).answer
        kept = {
            "openai-version",
            "x-ratelimit-limit-tokens",
            "content-type",
            "content-length",
            "x-request-id",
            "request-id",
        }
        assert set(answer.headers) == kept


# -- what an unknown call is told


async def asks_for(tmp_path: Path, origin: Origin, way: ways.Way, call: Callable[[Any], Any]) -> str:
    path, client = tmp_path / "a.json", chat_client(origin, way, max_retries=2)
    if not path.exists():
        with recorded(path):
            for question in ("One?", "How far is Frankfurt?"):
                await ask(client, "plain", question)
        origin.take()
    with pytest.raises(UnknownCall) as raised, recorded(path):
        await settled(call(client))
    assert isinstance(raised.value, edgeclient.openai.OpenAIError) and not origin.take()
    return str(raised.value)


def _chat(question: str, **more: Any) -> Callable[[Any], Any]:
    messages = [{"role": "user", "content": question}]
    return lambda client: client.chat.completions.create(**{"model": "gpt-4o", "messages": messages, **more})


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (_chat("How far is Paris?"), ['/messages/0/content: asked "How far is Paris?", recorded "How far is Frankfurt?"']),
        (_chat("One?", model="gpt-5"), ['model: asked "gpt-5", recorded "gpt-4o"']),
        (_chat("One?", temperature=0), ["/temperature: asked 0, recorded nothing"]),
        (_chat("One?", stream=True), ["/stream: asked true, recorded nothing"]),
        (
            lambda client: client.embeddings.create(model="e", input="a"),
            ['path: asked "/v1/embeddings", recorded "/v1/chat/completions"', 'model: asked "e", recorded "gpt-4o"'],
        ),
        (lambda client: client.models.retrieve("m"), ['method: asked "GET", recorded "POST"', '/models/m"']),
        (
            lambda client: client.with_options(base_url="http://other.invalid/v1").chat.completions.create(
                model="gpt-4o", messages=[{"role": "user", "content": "One?"}]
            ),
            ['host: asked "other.invalid", recorded "localhost"'],
        ),
        (_chat("One?", extra_query={"v": "2"}), ['query: asked [["v", "2"]], recorded nothing']),
    ],
)  # fmt: skip
async def test_an_unknown_call_says_what_differs(
    call: Callable[[Any], Any], said: list[str], origin: Origin, way: ways.Way, tmp_path: Path
) -> None:
    text = await asks_for(tmp_path, origin, way, call)
    assert all(one in text for one in said), text
    assert "is not in" in text and "the nearest of the 2 recorded calls" in text and "EDGECLIENT_RECORD=1" in text


async def test_an_app_that_swallows_it_hides_nothing(origin: Origin, way: ways.Way, tmp_path: Path) -> None:
    def swallowing(client: Any) -> Any:
        async def call() -> None:
            try:
                await settled(_chat("Unknown?")(client))
            except edgeclient.openai.OpenAIError:
                pass

        return call()

    with recorded(tmp_path / "a.json"):
        client = chat_client(origin, way)
        await ask(client)
    with pytest.raises(UnknownCall, match="Unknown"), recorded(tmp_path / "a.json"):
        await swallowing(client)


# -- repeats, order, and what is left over


async def test_equal_calls_are_answered_in_recorded_order(origin: Origin, way: ways.Way, tmp_path: Path) -> None:
    bodies = [json.dumps({"error": {"message": f"said {n}"}}).encode() for n in range(2)]
    origin.fail(*(recording.says(body, code=400) for body in bodies))

    async def told(client: Any) -> str:
        with pytest.raises(edgeclient.openai.BadRequestError) as raised:
            await ask(client)
        return str(raised.value.body["message"])  # type: ignore[index]

    client = chat_client(origin, way)
    with recorded(tmp_path / "a.json"):
        assert [await told(client) for _ in range(2)] == ["said 0", "said 1"]
    with recorded(tmp_path / "a.json") as tape:
        assert len(tape.unused) == 2
        assert [await told(client) for _ in range(4)] == ["said 0", "said 1", "said 1", "said 1"]
        assert tape.unused == []
    with (
        pytest.raises(UnknownCall, match="2 times, and this is one more"),
        recorded(tmp_path / "a.json", repeats="fail"),
    ):
        [await told(client) for _ in range(3)]


async def test_what_nobody_asked_for_can_be_an_error(origin: Origin, way: ways.Way, tmp_path: Path) -> None:
    client = chat_client(origin, way)
    with recorded(tmp_path / "a.json"):
        await ask(client, "plain", "One?")
        await ask(client, "plain", "Two?")
    with recorded(tmp_path / "a.json") as tape:
        await ask(client, "plain", "One?")
    assert tape.unused == ["POST /v1/chat/completions (model gpt-4o)"]
    with (
        pytest.raises(RecordingError, match="not asked for: POST /v1/chat"),
        recorded(tmp_path / "a.json", unused="fail"),
    ):
        await ask(client, "plain", "Two?")


def test_threads_share_a_recording(origin: Origin, tmp_path: Path) -> None:
    questions = [f"Question {n}?" for n in range(8)]
    client = edgeclient.OpenAI(api_key=SECRET, base_url=origin.v1)
    ready = threading.Barrier(8)

    def one(question: str) -> str:
        ready.wait(20)
        answer = client.chat.completions.create(model=question, messages=[{"role": "user", "content": question}])
        return answer.model

    with client, ThreadPoolExecutor(8) as pool:
        for _ in range(2):
            with recorded(tmp_path / "a.json", unused="fail", repeats="fail"):
                assert list(pool.map(one, questions)) == questions
    assert len(origin.take()) == 8


# -- through an edge, and for plain clients


async def test_an_active_edge_records_through_its_pops_and_replays_without_them(net: Net, tmp_path: Path) -> None:
    edge = net.edge("fra", cache="exact")
    client = net.client(edge)
    with recorded(tmp_path / "a.json"):
        said = await ask(client)
    assert net.seen() == {"fra": 1} and said.text == "hello from fra"
    for server in net.servers():
        server.take()
    edge.clear_cache()
    with recorded(tmp_path / "a.json"):
        assert (await ask(client)).text == "hello from fra"
    assert net.seen() == {} and edge.status().counts["calls"] == 1
    await ask(client)
    assert net.seen() == {"fra": 1}, "outside of it calls go out as ever"


async def test_a_plain_client_over_an_edges_http_client_is_recorded_once(net: Net, tmp_path: Path) -> None:
    edge = edgeclient.Edge()
    make = edge.async_http_client if net.way.is_async else edge.http_client
    for module in (ways.SDKS[net.sdk], MIRRORS[net.sdk]):
        path = tmp_path / f"{module.__name__}.json"
        http_client = net.way.keep(make(ways.own_family(net.sdk).__name__))
        kind = net.way.cls(module, {"openai": "OpenAI", "anthropic": "Anthropic"}[net.sdk])
        client = net.way.keep(
            kind(api_key=SECRET, base_url=net.base(net.origin), http_client=http_client, max_retries=0)
        )
        texts = []
        for _ in range(2):
            with recorded(path, unused="fail", repeats="fail"):
                texts.append([(await ask(client, form)).text for form in ("plain", "stream", "raw")])
        assert texts[0] == texts[1] == ["hello from origin"] * 3
        assert len(net.origin.take()) == 3


def test_no_socket_is_opened_in_a_replay(tmp_path: Path) -> None:
    program = """
    import sys
    import recording
    import asyncio, edgeclient, inspect, socket
    from edgeclient.testing import recorded

    async def settled(value):
        return await value if inspect.isawaitable(value) else value

    async def talk(url, kind):
        is_openai = kind.endswith("OpenAI")
        client = getattr(edgeclient, kind)(base_url=url + "/v1" * is_openai, max_retries=0)
        create = (client.chat.completions if is_openai else client.messages).create
        asked = dict(model="m", max_tokens=9, messages=[dict(role="user", content="?")])
        print((await settled(create(**asked))).id)
        stream = await settled(create(stream=True, **asked))
        print(len([x async for x in stream] if hasattr(stream, "__aiter__") else list(stream)))
        await settled(client.close())

    def talk_all(url):
        for kind in ("OpenAI", "AsyncOpenAI", "Anthropic", "AsyncAnthropic"):
            with recorded(kind + ".json", unused="fail"):
                asyncio.run(talk(url, kind))

    with recording.Origin() as origin:
        talk_all(origin.url)
        assert len(origin.take()) == 8

    def no_network(event, arguments):
        if event in ("socket.connect", "socket.getaddrinfo", "socket.bind", "socket.sendto"):
            raise AssertionError((event, arguments))

    sys.addaudithook(no_network)
    talk_all(origin.url)
    try:
        socket.create_connection(("127.0.0.1", 9))
    except AssertionError:
        print("heard")
    """
    said = programs.run(program, tmp_path).split()
    assert said[:8] == said[8:16] and said[16:] == ["heard"]


# -- the file


def opened(path: Path, **options: Any) -> Recorded:
    with recorded(path, **options) as tape:
        return tape


@pytest.mark.parametrize("record", [None, True, False])
@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            '{"kind": "edgeclient recording", "version": 2, "calls": []}',
            "is of version 2, and this edgeclient reads up to 1",
        ),
        ('{"kind": "edgeclient recording", "version": "1", "calls": []}', "is of version 1"),
        ('{"kind": "edgeclient recording", "version": 1, "calls": [{"request": {}}]}', "is damaged"),
        ('{"kind": "edgeclient recording", "version": 1}', "is damaged"),
        ('{"interactions": []}', "is not a recording"),
        ("[]", "is not a recording"),
        ("", "cannot be read as a recording"),
        ('{"kind": "edgeclient rec', "cannot be read as a recording"),
    ],
)
def test_a_file_that_is_none_of_ours_stays_as_it_is(text: str, said: str, record: bool | None, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(RecordingError, match=said):
        opened(path, record=record)
    assert path.read_text() == text and list(tmp_path.iterdir()) == [path]


async def test_a_test_that_fails_writes_nothing(origin: Origin, way: ways.Way, tmp_path: Path) -> None:
    client = chat_client(origin, way)
    for before in (None, "a recording"):
        if before:
            with recorded(tmp_path / "a.json"):
                await ask(client)
            before = (tmp_path / "a.json").read_text()
        with pytest.raises(ZeroDivisionError), recorded(tmp_path / "a.json", record=True):
            (await ask(client, "plain", "Another?")).text.index(1 / 0)  # type: ignore[arg-type]
        assert ((tmp_path / "a.json").read_text() if before else None) == before


async def test_a_full_disk_leaves_what_was_there(
    origin: Origin, way: ways.Way, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(number: int) -> None:
        raise OSError(28, "No space left on device")

    path, client = tmp_path / "deep" / "a.json", chat_client(origin, way)
    with recorded(path):
        await ask(client)
    before = path.read_bytes()
    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(RecordingError, match="cannot be written"), recorded(path, record=True):
        await ask(client, "plain", "Another?")
    assert path.read_bytes() == before and list(path.parent.iterdir()) == [path]


async def test_a_call_that_was_given_up_is_not_recorded(origin: Origin, way: ways.Way, tmp_path: Path) -> None:
    """A hook of the app's that raises is no answer of the network's."""
    family = ways.own_family("openai")

    def raising(response: Any) -> None:
        raise ZeroDivisionError

    async def raising_async(response: Any) -> None:
        raise ZeroDivisionError

    hook = raising_async if way.is_async else raising
    client = chat_client(origin, way, http_client=way.http_client(family, event_hooks={"response": [hook]}))
    with recorded(tmp_path / "a.json"):
        with pytest.raises((ZeroDivisionError, edgeclient.openai.APIConnectionError)):
            await ask(client)
        await ask(chat_client(origin, way), "plain", "Another?")
    assert len(json.loads((tmp_path / "a.json").read_text())["calls"]) == 1


# -- when it records


def test_the_variable_says_whether_it_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, origin: Origin) -> None:
    path = tmp_path / "a.json"
    monkeypatch.setenv("EDGECLIENT_RECORD", "0")
    with pytest.raises(RecordingError, match=r"there is no recording .*a\.json; make one with EDGECLIENT_RECORD=1"):
        opened(path)
    monkeypatch.setenv("EDGECLIENT_RECORD", "1")
    for _ in range(2):
        with edgeclient.OpenAI(api_key=SECRET, base_url=origin.v1) as client, recorded(path) as tape:
            assert tape.recording and not client._edge.active, "the variable is no setting of an edge"
            client.models.list()
    assert len(origin.take()) == 2
    assert edgeclient.Edge().settings.active is False
    monkeypatch.setenv("EDGECLIENT_RECORD", "maybe")
    with pytest.raises(SettingsError, match="variable EDGECLIENT_RECORD is 'maybe'; give 1"):
        recorded(path)
    assert not opened(path, record=False).recording


def test_what_cannot_be(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    with pytest.raises(SettingsError, match="repeats is 'first'; give 'last' or 'fail'"):
        recorded(path, repeats="first")  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match="unused is 'warn'; give 'ignore' or 'fail'"):
        recorded(path, unused="warn")  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match="an empty text"):
        recorded(path, scrub=["a", ""])
    with pytest.raises(RecordingError, match="no call was made to record; clients of edgeclient are recorded"):
        opened(path)
    with (
        pytest.raises(RecordingError, match="no call was made"),
        recorded(path),
        pytest.raises(RecordingError, match="another recording is open"),
    ):
        opened(tmp_path / "b.json")
    assert not path.exists()
