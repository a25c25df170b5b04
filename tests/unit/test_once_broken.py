"""What was broken once: each of these failed when it was written, and was mended then."""

from __future__ import annotations

import json
import random
import socket
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import httpx
import pytest
from pipeline.scripted import EVENT_HEADERS, A, B, C, Native, Run, policies, request, says
from pipeline.scripted import ok as answers
from pipeline.test_attempts import Sending
from pipeline.test_pipeline import STREAM, ask

from edgeclient import Endpoint as Said
from edgeclient import SettingsError
from edgeclient.cache.tee import Tee
from edgeclient.classifying import classify
from edgeclient.http.credentials import replace as replace_credentials
from edgeclient.http.sockets import kernel_rtt
from edgeclient.noting import Attempt, Notes, headers, notes
from edgeclient.pipeline import respond
from edgeclient.pops.health import Health
from edgeclient.pops.prober import Prober
from edgeclient.pops.selector import Selector
from edgeclient.settings import load
from edgeclient.values import ORIGIN, Call, Endpoint, Entry, Failure, Outcome, Reply

from .answers import dialect, replayed, storable
from .test_selector import Running

FRA = "https://fra.example.com/v1"
SYNC = Run(False)


# -- attempts


def test_no_attempt_starts_after_the_total_time() -> None:
    """attempts.send looks at the clock before an attempt, and not again before the next one."""
    rt = SYNC.runtime(a=says(503), b=says(503), c=answers(), took_s=5.0)
    assert Sending(SYNC, rt, A, B, C, total_s=4.0).sent == "a"


# -- pops


def test_an_outage_of_a_day_is_survived() -> None:
    """4.0 * 2**1024 is an OverflowError: after about 8 hours of outage record() raises, out of a call."""
    health, rng = Health(), random.Random(1)
    for n in range(3000):
        health.failed(Failure.REFUSED, n * 30.0, n * 30.0, rng)
    assert health.state(3000 * 30.0 + 40).value == "probation"


@pytest.mark.parametrize("failure", [Failure.READ_TIMEOUT])
def test_a_retry_of_the_sdk_spares_what_just_timed_out(failure: Failure) -> None:
    """Selector.plan and Health.suspect promise it of every failure; a read timeout leaves no trace."""
    running = Running(A, B).rtt(a=20, b=30).fail(A, failure, 1)
    assert running.order(2, again=True) == ("b", "a")


def test_a_probation_further_away_is_for_one_call_too() -> None:
    """plan() lends the trial only where the endpoint is first: further back, every call that fails over may use it."""
    running = Running(A, B).rtt(a=20, b=95).fail(B, Failure.NOT_AN_ANSWER, 0)
    assert [running.order(10) for _ in range(2)] in ([("ab", ""), ("a", "b")], [("a", "b"), ("a", "b")])


def test_a_trial_that_is_throttled_does_not_block_the_next_one() -> None:
    """A 429 never reaches health.failed(): the trial stays lent for 60 s."""
    running = Running(A, B).rtt(a=20, b=95).fail(A, Failure.NOT_AN_ANSWER, 0)
    assert running.order(10) == ("ab", "")
    running.fail(A, Failure.THROTTLED, 11, retry_after_s=1.0)
    assert running.order(13) == ("ab", "")


def test_an_origin_that_competes_comes_back() -> None:
    """due() looks at the configured endpoints alone: an unreachable ORIGIN waits for a probe that never comes."""
    running = Running(A).rtt(a=95).rtt(origin=20)
    running.fail(ORIGIN, Failure.REFUSED, 1)
    running.selector.due(1000.0)
    assert running.order(1000, A, ORIGIN)[0][:6] == "origin"


def test_another_clients_origin_does_not_eject_the_sdks_own() -> None:
    """All origins share the track named "origin": a dead local server puts api.openai.com out of the competition."""
    edge = policies(A, origin="candidate")
    with pytest.raises(Native):
        ask(
            SYNC, SYNC.runtime(origin=Failure.REFUSED), edge, request(default_origin=False, origin="http://localhost:1")
        )
    good, _ = edge.selector.plan([A, ORIGIN], 1001.0)
    assert ORIGIN in good


def test_a_probe_that_could_not_start_is_due_again() -> None:
    """due() lends the trial and moves the turn; Prober.start() drops the round when one is running: 60 s are lost."""
    selector = Selector([A, B], random.Random(1))
    measuring, go_on = threading.Event(), threading.Event()

    class Waiting(Prober):
        def measure(self, endpoint: Endpoint, tries: int = 3) -> list[float]:
            measuring.set()
            assert go_on.wait(20)
            return [0.02]

    prober = Waiting("auto", kernel_rtt)
    edge, rt = policies(A, B, cached=False), SYNC.runtime(a=answers(), b=answers())
    edge.selector = selector
    rt.probe = prober.start  # type: ignore[method-assign,assignment]
    selector.record(Outcome(A, Failure.REFUSED), rt.time)
    selector.record(Outcome(B, rtt_s=0.02), rt.time)
    rt.time += 400  # B is silent, A's penalty is over
    selector.record(Outcome(A, Failure.REFUSED), rt.time)
    ask(SYNC, rt, edge)
    assert measuring.wait(20)  # B
    rt.time += 10
    ask(SYNC, rt, edge)  # A is due while the round with B is under way
    go_on.set()
    for thread in threading.enumerate():
        if thread.name == "edgeclient-probe":
            thread.join(20)
    rt.time += 1
    ask(SYNC, rt, edge)
    for thread in threading.enumerate():
        if thread.name == "edgeclient-probe":
            thread.join(20)
    assert selector.status(rt.time)[0].state == "ready"


def test_a_probe_tries_every_address_of_a_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """getaddrinfo(...)[0]: with a dead IPv6 before a good IPv4 a probe never succeeds, and an ejection never ends."""
    with socket.socket() as dead, socket.create_server(("127.0.0.1", 0)) as good:
        dead.bind(("127.0.0.1", 0))
        tcp = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
        found = [(*tcp, dead.getsockname()), (*tcp, good.getsockname())]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: found)
        assert len(Prober("connect", kernel_rtt).measure(Endpoint("a", "http://dual.example.com"))) == 3


def test_a_host_that_is_no_name_has_no_rtt() -> None:
    """getaddrinfo raises UnicodeError: the probing thread dies and learn() is never told."""
    assert Prober("connect", kernel_rtt).measure(Endpoint("a", "http://a..example.com")) == []


# -- dialects


def _events(*events: Any) -> bytes:
    return b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)


MESSAGE = {**storable("anthropic_messages", ["x"]), "content": []}
START = {"type": "message_start", "message": MESSAGE}
STOP = {"type": "message_stop"}


@pytest.mark.parametrize(
    ("name", "stream"),
    [
        ("openai_chat", b"data: " + b"[" * 100_000 + b"\n\n"),
        ("anthropic_messages", _events(START, {"type": ["ping"]}, STOP)),
        (
            "anthropic_messages",
            _events(
                START,
                {"type": "content_block_start", "index": 0, "content_block": {"type": "text"}},
                {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "x"}},
                STOP,
            ),
        ),
        (
            "anthropic_messages",
            _events(
                {**START, "message": {**MESSAGE, "usage": None}},
                {"type": "message_delta", "delta": {}, "usage": {}},
                STOP,
            ),
        ),
        (
            "anthropic_messages",
            _events(
                START,
                {"type": "message_delta", "delta": {"content": 7}},
                {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
                STOP,
            ),
        ),
    ],
    ids=["very deep", "type is a list", "no text", "no usage", "content is a number"],
)
def test_malformed_streams_never_raise(name: str, stream: bytes) -> None:
    answer = dialect(name).whole(stream)
    assert answer is None or not dialect(name).storable(answer)


@pytest.mark.parametrize("reason", [["end_turn"], {}])
def test_malformed_answers_never_raise(reason: Any) -> None:
    assert not dialect("anthropic_messages").storable({**storable("anthropic_messages", ["x"]), "stop_reason": reason})


def test_a_chat_stream_without_its_done_is_no_answer() -> None:
    """Cut after the first of two choices (HTTP/1.0, or a proxy that closes cleanly) it is stored as a whole answer."""
    stream = replayed("openai_chat", ["one", "two"], stream=True)
    cut = stream.index(b'"stop"') + len(b'"stop"}]}\n\n')
    assert stream[:cut].endswith(b"\n\n")
    answer = dialect("openai_chat").whole(stream[:cut])
    assert answer is None or not dialect("openai_chat").storable(answer)


# -- cache


@pytest.mark.parametrize("name", ["openai_chat", "anthropic_messages"])
def test_a_text_about_the_closing_event_is_not_its_end(name: str) -> None:
    """The closing bytes within an event's data end the tee: such answers are never stored, and breaks not reported."""
    ended: list[bytes | None] = []
    closing = dialect(name).closing
    tee = Tee(lambda body, error: ended.append(body), closing=closing, limit=10**6)
    tee.feed(b'data: {"content":"' + closing + b'"}\n\n')
    assert ended == []


# -- pipeline


def test_only_if_cached_is_not_sent_without_a_key_either() -> None:
    """controls.read: "never sent". With no-store, or with a credential that is not to be seen, it is sent."""
    for asked in (
        request("?", ("cache-control", "no-store, only-if-cached")),
        request("?", ("cache-control", "only-if-cached"), credential=""),
    ):
        rt = SYNC.runtime(a=answers())
        assert ask(SYNC, rt, policies(A), asked).status == 504 and rt.sent == []


def test_a_call_that_says_no_store_has_passed_the_cache_by() -> None:
    """Notes.cache says "off" as if there were no cache; RFC 9211 and the design say bypass."""
    reply = ask(SYNC, SYNC.runtime(a=answers()), policies(A), request("?", ("cache-control", "no-store")))
    assert reply.notes is not None and reply.notes.cache == "bypass"


class _Broken:
    def match(self, call: Call, now: float) -> Entry | None:
        raise OSError("no index")


def test_a_broken_semantic_cache_fails_no_call() -> None:
    """respond() guards the exact cache and not the semantic one; and the flight of the failed call never lands."""
    edge = policies(A)
    edge.semantic = _Broken()
    assert ask(SYNC, SYNC.runtime(a=answers()), edge).status == 200


def test_a_broken_entry_fails_no_call() -> None:
    """_hit() renders outside of the guard: an entry that a store gives back damaged fails the call, each time."""
    edge, rt = policies(A), SYNC.runtime(a=answers())
    ask(SYNC, rt, edge)
    assert edge.store is not None
    entry = edge.store.load(classify(request(), edge).key, rt.wall())
    assert entry is not None
    edge.store.save(replace(entry, body=b'{"damaged'), rt.time)
    live = SYNC.runtime(a=Reply(200, EVENT_HEADERS, None, object()))
    assert ask(SYNC, live, edge, STREAM).status == 200


def test_a_very_long_retry_count_is_no_error() -> None:
    """int() of more than 4300 digits is a ValueError; classify "never raises on odd requests"."""
    assert classify(request("?", ("x-stainless-retry-count", "9" * 5000)), policies(A)).retry >= 0


def test_a_stream_from_before_an_ejection_that_breaks_after_it_is_a_late_error() -> None:
    """_tee reports took_s=0: the break of an old stream counts as a new failure, and ejects again for longer."""
    edge, rt = policies(A, cached=False), SYNC.runtime(a=Reply(200, EVENT_HEADERS, None, object()))
    reply = ask(SYNC, rt, edge, STREAM)
    rt.time += 10
    edge.selector.record(Outcome(A, Failure.NOT_AN_ANSWER), rt.time)
    rt.time += 4.9
    assert reply.tee is not None
    reply.tee.end(complete=False, error=OSError())
    assert edge.selector.status(rt.time + 0.2)[0].state == "probation"


# -- settings


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("nowhere")
@pytest.mark.parametrize("said", [5, True], ids=repr)
def test_endpoints_of_a_wrong_type(said: Any) -> None:
    """_shapes iterates before pydantic looks: a bare TypeError."""
    with pytest.raises(SettingsError, match="argument endpoints"):
        load({"endpoints": said})


@pytest.mark.usefixtures("nowhere")
@pytest.mark.parametrize("field", ["url", "anthropic"])
def test_a_url_that_cannot_be_taken_apart(field: str) -> None:
    """_names() splits URLs before _check_url() does: a bare ValueError."""
    with pytest.raises(SettingsError, match=r"endpoints.*http://\[::1"):
        load({"endpoints": [{field: "http://[::1"}], "key": "none"})


@pytest.mark.usefixtures("nowhere")
@pytest.mark.parametrize("name", ["api_key", "token", "kye"])
def test_a_secret_under_a_wrong_name_is_not_shown(name: str) -> None:
    """_explain hides the value only when a part of the path is "key" to the letter."""
    with pytest.raises(SettingsError, match=name) as raised:
        load({"endpoints": [{"url": FRA, name: "sk-live-4711"}], "key": "none"})
    assert "sk-live-4711" not in str(raised.value)


@pytest.mark.parametrize("wrong", [{"api_key": "sk-live-4711"}, {"key": ["sk-live-4711"]}])
def test_an_endpoint_with_a_mistake_is_a_settings_error(wrong: dict[str, Any]) -> None:
    """`Endpoint(...)` raises pydantic's own error, which shows the value."""
    with pytest.raises(ValueError) as raised:
        Said(FRA, **wrong)
    assert isinstance(raised.value, SettingsError) and "sk-live-4711" not in str(raised.value)


@pytest.mark.usefixtures("nowhere")
def test_a_table_of_urls_keeps_its_names() -> None:
    """`[endpoints]` with `fra = "https://..."`: the name is lost on the way."""
    assert [e.name for e in load({"endpoints": {"fra": FRA}, "key": "none"})[1]] == ["fra"]


@pytest.mark.usefixtures("nowhere")
def test_no_endpoint_may_be_called_origin() -> None:
    """Names are the selector's keys, and "origin" is the client's own: the two would share health and RTT."""
    with pytest.raises(SettingsError, match="origin"):
        load({"endpoints": [{"url": FRA, "name": "origin"}], "key": "none"})


@pytest.mark.usefixtures("nowhere")
def test_a_password_in_a_url_does_not_become_a_name() -> None:
    """_names() takes the netloc: the name, and with it the password, is in Proxy-Status, status() and errors."""
    (endpoint,) = load({"endpoints": ["https://user:sk-live-4711@fra.example.com/v1"], "key": "none"})[1]
    assert "sk-live-4711" not in endpoint.name


# -- notes and credentials


def test_a_mock_has_no_notes() -> None:
    """notes() follows `.http_response` of a Mock for ever: RecursionError in users' tests."""
    assert notes(Mock()) is None


@pytest.mark.parametrize("name", ['fra"2', "fra\\2", "fra\n2", "münchen"])
def test_a_header_is_well_formed_whatever_the_name(name: str) -> None:
    """RFC 8941 strings are printable ASCII with \\" and \\\\ escaped; names come from the settings unchecked."""
    ((_, said),) = headers(Notes(tried=(Attempt(name, "ok"),)))
    value = said.decode()
    inner = value.removeprefix('edgeclient; next-hop="').removesuffix('"')
    assert value.isascii() and value.isprintable()
    assert '"' not in inner.replace('\\"', "") and "\\" not in inner.replace("\\\\", "").replace('\\"', "")


@pytest.mark.parametrize(
    "name",
    ["cf-access-jwt-assertion", "x-goog-iap-jwt-assertion", "x-jwt", "x-bearer", "x-passwd", "x-access-pass", "x-pat"],
)
def test_further_credentials_do_not_travel(name: str) -> None:
    """Names that carry credentials and match none of the words of `_SECRET`."""
    sent = httpx.Headers({name: "sk-live-4711"})
    replace_credentials(sent, None, "openai")
    assert dict(sent) == {}


def test_the_flight_of_a_call_that_breaks_early_lands() -> None:
    edge = policies(A)
    edge.semantic = _Broken()
    call = classify(request(), edge)
    try:
        SYNC(respond(call, edge, SYNC.runtime(a=answers())))
    except OSError:
        pass
    assert edge.flights.join(call.key)[1]
