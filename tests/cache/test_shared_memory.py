"""Round-trip times that a fleet shares through a real Redis: who sees them, and what bad servers and documents cost."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pipeline.scripted import Run, both_ways, ok, request
from pipeline.test_pipeline import ask
from servers import Server, clustered, free_port, replicated, running, until

from edgeclient import Cache, Edge, Endpoint, SettingsError
from edgeclient.pops import memory, remembering
from edgeclient.pops.memory_file import cache_folder
from edgeclient.pops.selector import Selector
from edgeclient.values import Outcome

pytest.importorskip("redis")

FAR, NEAR = "https://user:secret@far.example.com/private", "https://near.example.com/private"
LONG_S = 20.0  # never waited for unless a test fails


@pytest.fixture(autouse=True)
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Where this machine is: an address, and the region that its platform says."""
    monkeypatch.setattr(remembering, "_SETTLE_S", 0.0)

    def move(address: str, region: str = "") -> None:
        monkeypatch.setattr(remembering, "_address", lambda: address)
        monkeypatch.setenv("FLY_REGION", region)

    move("10.1.2.3")
    return move


def settled() -> None:
    for thread in threading.enumerate():
        if thread.name == "edgeclient-memory":
            thread.join(LONG_S)


class Machine:
    """A process of the fleet. Probes cannot reach anything: what is known is what a test measures."""

    def __init__(self, port: int | str, **said: Any) -> None:
        where = f"redis://127.0.0.1:{port}" if isinstance(port, int) else port
        endpoints = [Endpoint(FAR, name="far"), Endpoint(NEAR, name="near")]
        self.edge = Edge(**{"endpoints": endpoints, "key": "none", "probe": False, "remember": where, **said})
        self.selector: Selector = self.edge.policies.selector

    def visit(self, now: float = 0.0, *, slept: bool = False) -> Machine:
        assert self.edge.policies.memory is not None
        self.edge.policies.memory.visit(now, slept=slept)
        settled()
        return self

    def measure(self, far: float, near: float) -> Machine:
        for endpoint, rtt_ms in zip(self.edge.policies.endpoints, (far, near), strict=True):
            for _ in range(3):
                self.selector.record(Outcome(endpoint, rtt_s=rtt_ms / 1e3), 0.0)
        return self

    def order(self) -> list[str]:
        return [endpoint.name for endpoint in self.selector.plan(self.edge.policies.endpoints, 0.0)[0]]

    def mishaps(self) -> dict[str, int]:
        return self.edge.status().mishaps


def measured(port: int | str) -> None:
    Machine(port).measure(far=95, near=20).edge.close()


def documents(server: Server) -> dict[str, bytes]:
    return {key.decode(): server.tell("GET", key) for key in server.tell("KEYS", "*")}


# -- who sees what


def test_a_new_machine_begins_with_the_order_that_another_one_measured(server: Server, at: Callable[..., None]) -> None:
    measured(server.port)
    at("10.1.77.8")  # the same network, another machine
    machine = Machine(server.port)
    assert machine.order() == ["far", "near"]
    machine.visit()
    assert machine.order() == ["near", "far"]
    assert machine.selector.known() == {} and machine.mishaps() == {}
    assert not cache_folder().exists()


def test_its_own_measurement_outweighs_what_others_say(server: Server) -> None:
    measured(server.port)
    machine = Machine(server.port).measure(far=10, near=40).visit()
    assert machine.order() == ["far", "near"]
    machine.visit(slept=True)
    assert machine.order() == ["far", "near"] and machine.selector.known()["far"][0] == pytest.approx(0.010)


@pytest.mark.parametrize(
    ("address", "region", "shares"),
    [
        ("10.1.200.1", "", True),
        ("10.2.2.3", "", False),
        ("10.1.2.3", "fra", False),
        ("203.0.113.9", "", False),
        ("2001:db8::1", "", False),
        ("", "", False),
    ],
)
def test_who_is_elsewhere_has_an_order_of_its_own(
    server: Server, at: Callable[..., None], address: str, region: str, shares: bool
) -> None:
    measured(server.port)
    at(address, region)
    assert (Machine(server.port).visit().order() == ["near", "far"]) is shares


def test_machines_side_by_side_with_public_addresses_share() -> None:
    of = memory.fingerprint_of_fleet
    assert of("8.8.8.1", "") == of("8.8.8.200", "") != of("8.8.9.1", "")
    assert of("2600:1:2:3::1", "") == of("2600:1:2:3::ffff", "") != of("2600:1:2:4::1", "")
    assert of("10.1.2.3", "") != memory.fingerprint("10.1.0.0/16")


def test_only_places_and_figures_are_on_the_server_and_they_expire(server: Server) -> None:
    measured(server.port)
    ((key, text),) = documents(server).items()
    assert key.startswith("edgeclient:1:paths:") and key.count(":") == 3
    assert not [word for word in (b"secret", b"user", b"private", b"10.1.2.3") if word in text]
    document = json.loads(text)
    assert document["edgeclient_paths"] == memory.VERSION
    ((network, paths),) = document["networks"].items()
    assert key.endswith(network) and {place: path["rtt_ms"] for place, path in paths.items()} == {
        "far.example.com:443": 95,
        "near.example.com:443": 20,
    }
    assert 6 * 86_400 < server.tell("TTL", key) <= 7 * 86_400


def test_the_first_round_is_written_beside_the_call_and_news_later(server: Server) -> None:
    machine = Machine(server.port).measure(far=95, near=20).visit()
    (first,) = documents(server).values()
    assert b'"near.example.com:443": {"rtt_ms": 20.0' in first
    machine.measure(far=95, near=60).visit(59.0)
    assert list(documents(server).values()) == [first]
    machine.visit(61.0)
    assert b'"near.example.com:443": {"rtt_ms": 60.0' in next(iter(documents(server).values()))


def test_two_machines_lose_nothing_of_one_another(server: Server) -> None:
    measured(server.port)
    other = [Endpoint(NEAR, name="far"), Endpoint("https://third.example.com", name="near")]
    Machine(server.port, endpoints=other).measure(far=21, near=50).edge.close()
    (document,) = [json.loads(text)["networks"] for text in documents(server).values()]
    (paths,) = document.values()
    assert {place.partition(".")[0] for place in paths} == {"far", "near", "third"}


def test_shared_is_the_server_of_the_cache(server: Server) -> None:
    where = f"redis://127.0.0.1:{server.port}/1"
    said: dict[str, Any] = {"cache": Cache("exact", store=where)}
    Machine("shared", **said).measure(far=95, near=20).edge.close()
    assert Machine(where).visit().order() == ["near", "far"]
    machine = Machine("shared", **said)
    machine.edge.clear_cache()
    assert machine.visit().order() == ["near", "far"]  # answers were cleared, not what is known of paths


def test_a_cluster_and_sentinels_will_do(tmp_path: Path) -> None:
    with clustered(tmp_path) as servers:
        where = f"redis+cluster://127.0.0.1:{servers[0].port}"
        measured(where)
        assert Machine(where).visit().order() == ["near", "far"]
    with replicated(tmp_path) as (_, _, sentinel):
        where = f"redis+sentinel://127.0.0.1:{sentinel.port}/main"
        measured(where)
        assert Machine(where).visit().order() == ["near", "far"]


def test_a_forked_child_asks_again_for_what_was_on_its_way(server: Server) -> None:
    measured(server.port)
    machine = Machine(server.port)
    own = machine.edge.policies.memory
    assert own is not None
    machine.visit()
    machine.selector.recalling = True  # as if the fork had come before the answer
    machine.edge.after_fork()
    assert own.next_at == float("-inf") and not machine.selector.recalling
    assert machine.visit().order() == ["near", "far"]


# -- the first call


def first_call(run: Run, machine: Machine) -> tuple[str, list[float]]:
    """Where a call went, and how long it would have waited at the most; what it waits for is let come."""
    rt = run.runtime(far=ok(), near=ok())
    rt.while_waiting = lambda flight: settled()
    reply = ask(run, rt, machine.edge.policies, request())
    assert reply.notes is not None
    return str(reply.notes.endpoint), rt.waited


@both_ways
@pytest.mark.parametrize("probe", [False, True])
def test_the_first_call_waits_for_what_others_measured_and_no_other_does(probe: bool, run: Run, server: Server) -> None:
    measured(server.port)
    machine = Machine(server.port, probe=probe)
    endpoint, waited = first_call(run, machine)
    assert endpoint == "near" and waited in ([], [0.25])  # []: it was there before the call looked
    assert machine.edge.policies.first_look.landed
    assert first_call(run, machine) == ("near", [])


@both_ways
def test_where_nobody_has_measured_a_call_waits_no_longer_than_that_takes(run: Run, server: Server) -> None:
    machine = Machine(server.port)
    assert first_call(run, machine)[0] == "far"
    assert machine.edge.policies.first_look.landed
    assert first_call(run, machine) == ("far", [])


@both_ways
def test_a_frozen_server_costs_the_first_call_a_quarter_of_a_second(run: Run, tmp_path: Path) -> None:
    with running(tmp_path) as server:
        server.freeze()
        machine = Machine(server.port)
        rt = run.runtime(far=ok(), near=ok())
        reply = ask(run, rt, machine.edge.policies, request())
        assert reply.notes is not None and reply.notes.endpoint == "far" and rt.waited == [0.25]
        settled()  # a step on a server takes a second at the most
        assert machine.mishaps() == {"remembering": 1}
        assert first_call(run, machine) == ("far", [])
        server.thaw()
        machine.measure(far=95, near=20).visit(rt.now() + 61)
        assert len(documents(server)) == 1


# -- bad servers and documents


def test_a_server_that_is_not_there_is_said_once_and_looked_for_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    machine = Machine(f"redis://me:p4ss@127.0.0.1:{free_port()}")
    with caplog.at_level(logging.WARNING):
        machine.visit().measure(far=95, near=20).visit(30.0).visit(61.0)
        machine.edge.close()
    assert machine.mishaps() == {"remembering": 3} and machine.order() == ["near", "far"]
    assert len(caplog.records) == 1 and "p4ss" not in caplog.text


def test_closing_does_not_wait_for_a_frozen_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembering, "_PATIENCE_S", 0.0)
    with running(tmp_path) as server:
        machine = Machine(server.port).measure(far=95, near=20)
        server.freeze()
        machine.edge.close()  # comes back though nothing was written
        server.thaw()
        settled()


BROKEN = {
    "cut": b'{"edgeclient_paths": 1, "netw',
    "foreign": b'{"version": 3}',
    "bytes": bytes(range(256)),
    "enormous": b'{"edgeclient_paths": 1}' + b" " * 2**21,
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
def test_a_broken_document_is_ignored_said_and_replaced(text: bytes, server: Server) -> None:
    measured(server.port)
    (key,) = documents(server)
    server.tell("SET", key, text)
    machine = Machine(server.port).visit()
    assert machine.order() == ["far", "near"] and machine.mishaps() == {"remembering": 1}
    machine.measure(far=95, near=20).edge.close()
    assert Machine(server.port).visit().order() == ["near", "far"]


@pytest.mark.parametrize("kept", ['{"edgeclient_paths": 2, "networks": "somehow else"}', None])
def test_what_is_not_ours_to_replace_stays(kept: str | None, server: Server) -> None:
    """A document of a later release, and something that is no text at all."""
    measured(server.port)
    (key,) = documents(server)
    server.tell("DEL", key)
    server.tell("SET", key, kept) if kept is not None else server.tell("LPUSH", key, "theirs")
    machine = Machine(server.port).visit().measure(far=95, near=20)
    machine.edge.close()
    assert machine.order() == ["near", "far"] and machine.mishaps() == {"remembering": 2}
    assert server.tell("TYPE", key) == (b"string" if kept is not None else b"list")
    assert kept is None or server.tell("GET", key) == kept.encode()


def test_entries_that_cannot_be_believed_order_nothing(server: Server) -> None:
    measured(server.port)
    ((key, text),) = documents(server).items()
    server.tell("SET", key, text.replace(b"20.0", b"-1"))
    machine = Machine(server.port).visit()
    assert machine.order() == ["far", "near"] and machine.mishaps() == {}


# -- the setting


@pytest.mark.parametrize(
    ("said", "what"),
    [
        ({"remember": "shard"}, "remember is 'shard'; give true, false, 'shared'"),
        ({"remember": "postgres://h"}, r"remember is 'postgres://h'; give redis://HOST"),
        ({"remember": "redis://h:port"}, "remember is 'redis://h:port'; give redis://HOST"),
        ({"remember": "redis://me:s3cr3t@h/x"}, r"remember is 'redis://\*\*\*@h/x'; behind the host"),
        ({"remember": "redis:me:s3cr3t@h"}, "remember is a text with an @; give true"),
        ({"remember": 7}, r"remember\.bool: Input should be a valid boolean.*\(got 7\)"),
        ({"remember": "env:NO_SUCH"}, "remember is 'env:NO_SUCH', but the variable NO_SUCH is not set"),
        ({"remember": "shared"}, "remember is 'shared', but the cache's store is 'memory', which no other machine"),
        (
            {"remember": "shared", "cache": Cache("exact", store="sqlite")},
            "remember is 'shared', but the cache's store is 'sqlite'",
        ),
    ],
)
def test_what_names_no_server(said: dict[str, Any], what: str) -> None:
    with pytest.raises(SettingsError, match=f"^argument remember: {what}") as raised:
        Edge(endpoints=[FAR, NEAR], key="none", **said)
    assert "s3cr3t" not in str(raised.value)


@pytest.mark.parametrize(("text", "has"), [("false", False), ("off", False), ("true", True), ("env:WHERE", True)])
def test_a_variable_says_the_same(text: str, has: bool, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    measured(server.port)
    monkeypatch.setenv("EDGECLIENT_REMEMBER", text)
    monkeypatch.setenv("WHERE", f"redis://127.0.0.1:{server.port}")
    edge = Edge(endpoints=[FAR, NEAR], key="none", probe=False)
    assert (edge.policies.memory is not None) is has
    assert "127.0.0.1" not in repr(edge.settings)


def test_in_a_function_it_is_on_where_a_server_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("K_SERVICE", "x")
    assert Machine("redis://h").edge.policies.memory is not None


def test_without_the_package_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(SettingsError, match=r"^argument remember: remember is 'redis://h'.*edgeclient\[redis\]"):
        Machine("redis://h")


def test_nothing_is_connected_to_before_the_first_call_and_nothing_stays_open(tmp_path: Path) -> None:
    def said(what: bytes) -> int:
        return int(server.raw("INFO").partition(what + b":")[2].split(b"\r")[0])

    with running(tmp_path) as server:
        machine = Machine(server.port)
        assert said(b"total_connections_received") == 2  # the look whether it listens, and this one
        machine.visit()
        assert said(b"total_connections_received") == 4
        until(lambda: said(b"connected_clients") == 1)
