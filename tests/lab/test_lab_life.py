"""Starting, killing, restarting, and that nothing of a lab outlives it, however its process ends.  Starts processes."""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import openai
import pytest

from edgeclient.lab import Lab, LabError, best_mode, network, rootless_possible, run_in_namespace

MESSAGES = [{"role": "user", "content": "How far is Frankfurt?"}]
FAST = {"first_token_ms": (1.0, 2.0), "tokens_per_s": 5000.0}
AskOpenAI = Callable[..., openai.OpenAI]


def chat(client: openai.OpenAI) -> object:
    return client.chat.completions.create(model="any", messages=MESSAGES)


def eventually(holds: Callable[[], bool], within_s: float = 20.0) -> bool:
    """Whether it comes true in time (an event of the kernel that cannot be waited for)."""
    until = time.monotonic() + within_s
    while not holds():
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True


# -- kill and restart


def test_a_killed_pop_refuses_and_comes_back_on_its_address(lab: Lab, ask_openai: AskOpenAI) -> None:
    url = lab.urls["nyc"]
    chat(ask_openai(lab, url))
    before = lab.requests()["nyc"], lab.connections()["nyc"], len(lab.recorded("nyc"))
    lab.kill("nyc")
    with pytest.raises(openai.APIConnectionError):
        chat(ask_openai(lab, url))
    assert (lab.requests()["nyc"], lab.connections()["nyc"], len(lab.recorded("nyc"))) == before
    assert chat(ask_openai(lab, lab.urls["fra"]))
    with pytest.raises(LabError, match=r"restart\('nyc'\)"):
        lab.fault("nyc", "hang")
    lab.restart("nyc")
    assert lab.urls["nyc"] == url
    chat(ask_openai(lab, url))
    assert lab.requests()["nyc"] == before[0] + 1
    assert len(lab.recorded("nyc")) == before[2] + 1


def test_a_pop_survives_a_restart_of_the_origin(lab: Lab, ask_openai: AskOpenAI) -> None:
    client = ask_openai(lab, lab.urls["fra"])
    chat(client)
    lab.restart("origin")
    assert chat(client)


def test_a_kill_ends_open_connections(lab: Lab) -> None:
    target = urlsplit(lab.urls["nyc"])
    with socket.create_connection((target.hostname, target.port), 20) as sock:
        assert lab.connections()["nyc"] > 0
        lab.kill("nyc")
        with suppress(ConnectionResetError):
            assert sock.recv(1) == b""
    lab.restart("nyc")


def test_a_client_that_leaves_is_noticed_at_the_origin(mode: str, ask_openai: AskOpenAI) -> None:
    with Lab({"fra": 1}, origin_ms=2, mode=mode, first_token_ms=(1, 1), tokens_per_s=2) as lab:
        stream = ask_openai(lab, lab.urls["fra"]).chat.completions.create(model="any", messages=MESSAGES, stream=True)
        next(iter(stream))
        assert lab.abandoned() == {"fra": 0, "origin": 0}
        stream.close()
        assert eventually(lambda: lab.abandoned() == {"fra": 1, "origin": 1})


# -- round trips


def least(sample: Callable[[], float], enough: float) -> float:
    """The least of the samples, which noise can only raise: stops at `enough`, and gives up after 60."""
    seen = sample()
    for _ in range(59):
        if seen <= enough:
            break
        seen = min(seen, sample())
    return seen


def kernel_rtt_ms(url: str) -> float:
    """The kernel's own view of the path: `tcpi_min_rtt` of a fresh connection."""
    target = urlsplit(url)
    with socket.create_connection((target.hostname, target.port), 20) as sock:
        info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 160)
    return float(struct.unpack_from("=I", info, 148)[0]) / 1000


def check_kernel_rtt(url: str, asked_ms: float) -> None:
    tolerance_ms = max(1.0, 0.05 * asked_ms)
    seen = least(lambda: kernel_rtt_ms(url), asked_ms + tolerance_ms)
    assert seen == pytest.approx(asked_ms, abs=tolerance_ms)


@pytest.mark.usefixtures("tun")
def test_the_kernel_sees_the_round_trips_and_their_change() -> None:
    with Lab({"fra": 3, "bom": 40}, origin_ms=25, mode="tun", tls=False) as lab:
        check_kernel_rtt(lab.urls["fra"], 3)
        check_kernel_rtt(lab.urls["bom"], 40)
        check_kernel_rtt(lab.origin_url, 25)
        lab.rtt("fra", 60)
        lab.rtt("origin", 5)
        check_kernel_rtt(lab.urls["fra"], 60)
        check_kernel_rtt(lab.origin_url, 5)
        check_kernel_rtt(lab.urls["bom"], 40)


def test_answers_wait_for_the_round_trip(mode: str, closing: ExitStack) -> None:
    settings = {"origin_ms": 90, "backbone_ms": 50, "mode": mode, "tls": False}
    lab = closing.enter_context(Lab({"fra": 10, "bom": 40}, **settings, **FAST))  # type: ignore[arg-type]
    client = closing.enter_context(openai.DefaultHttpxClient(trust_env=False, headers={"x-api-key": "x"}))

    def answer_ms(url: str) -> float:
        begun = time.monotonic()
        client.get(url)
        return 1000 * (time.monotonic() - begun)

    def trace(site: str) -> str:
        return f"{lab.anthropic_urls[site]}/cdn-cgi/trace"

    for url, asked_ms in (
        (trace("fra"), 10),
        (trace("bom"), 40),
        (f"{lab.urls['fra']}/models", 60),
        (f"{lab.origin_url}/models", 90),
    ):
        assert asked_ms <= least(partial(answer_ms, url), asked_ms + 8) <= asked_ms + 8
    lab.rtt("fra", 45)
    assert 45 <= least(partial(answer_ms, trace("fra")), 53) <= 53
    lab.restart("fra")
    assert 45 <= least(partial(answer_ms, trace("fra")), 53) <= 53


# -- settings


def test_the_mode_and_its_honesty_are_described() -> None:
    lab = Lab({"fra": 5}, origin_ms=120, mode="loopback")
    assert lab.describe().startswith("loopback: 1 PoP (fra 5 ms) and an origin 120 ms away")
    assert "kernel's RTT is not honest" in lab.describe()
    assert Lab({"fra": 5}).mode == best_mode()[0]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"pops": {}}, "1 to 200 PoPs"),
        ({"pops": {"origin": 1}}, "not 'origin'"),
        ({"pops": {"FRA": 1}}, "lower-case"),
        ({"pops": {"fra": -1}}, "at least 0 ms"),
        ({"pops": {"fra": 1}, "mode": "vm"}, "'auto', 'tun' or 'loopback'"),
        ({"pops": {"fra": 1}, "first_token_ms": (5, 1)}, "median, 99th"),
        ({"pops": {"fra": 1}, "tokens_per_s": 0}, "more than 0"),
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(LabError, match=message):
        Lab(**settings)  # type: ignore[arg-type]


def test_a_lab_that_does_not_run_says_so() -> None:
    lab = Lab({"fra": 5}, mode="loopback")
    with pytest.raises(LabError, match="does not run"):
        lab.kill("fra")


def test_impossible_tun_mode_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "_TUN", "/nowhere/tun")
    with pytest.raises(LabError, match=r"mode='tun' is not possible here: .*/nowhere/tun.*mode='loopback'"):
        Lab({"fra": 5}, mode="tun").start()
    assert Lab({"fra": 5}).mode == "loopback"


def test_counters_stay_readable_and_a_lab_can_start_again(mode: str, ask_openai: AskOpenAI) -> None:
    lab = Lab({"fra": 1}, origin_ms=2, mode=mode, **FAST)  # type: ignore[arg-type]
    with lab:
        chat(ask_openai(lab, lab.urls["fra"]))
        with pytest.raises(LabError, match="runs already"):
            lab.start()
    assert lab.requests() == {"fra": 1, "origin": 1}
    with lab:
        assert lab.requests() == {"fra": 0, "origin": 0}
        chat(ask_openai(lab, lab.urls["fra"]))


def test_labs_coexist(lab: Lab, mode: str, ask_openai: AskOpenAI) -> None:
    with Lab({"fra": 1}, origin_ms=2, mode=mode, **FAST) as other:  # type: ignore[arg-type]
        assert other.urls["fra"] != lab.urls["fra"]
        before = lab.requests()
        chat(ask_openai(other, other.urls["fra"]))
        assert lab.requests() == before
        assert other.requests() == {"fra": 1, "origin": 1}
        chat(ask_openai(lab, lab.urls["fra"]))


# -- nothing is left behind

# The scripts use the package under test, wherever they are started.
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(network.__file__).parents[2])}

SCRIPT = """
import json, signal, sys, time
from edgeclient.lab import Lab
signal.signal(signal.SIGINT, signal.default_int_handler)  # a test run in the background has it ignored, and hands that on
lab = Lab({"fra": 1, "nyc": 2}, mode=sys.argv[1], tls=True).start()
print(json.dumps([lab.ca_file, lab.urls["fra"]]), flush=True)
command = sys.stdin.readline().strip()
if command == "stop":
    lab.stop()
    print("stopped", flush=True)
    time.sleep(60)
elif command == "raise":
    raise KeyError
"""


@pytest.fixture
def script(mode: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", SCRIPT, mode]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=ENVIRONMENT
    ) as child:
        try:
            yield child
        finally:
            child.kill()


@pytest.mark.parametrize("end", ["stop", "exit", "raise", "SIGTERM", "SIGKILL", "SIGINT"])
def test_nothing_is_left_behind(script: subprocess.Popen[str], end: str, mode: str) -> None:
    assert script.stdin
    assert script.stdout
    ca_file, url = json.loads(script.stdout.readline())
    children, spaces = children_of(script.pid)
    block = url.split("//")[1].rpartition(".")[0]
    assert len(children) == (4 if mode == "tun" else 3)
    assert len(spaces) == (4 if mode == "tun" else 1)
    assert (f" {block}." in routes()) == (mode == "tun") or block == "127.0.0"
    assert Path(ca_file).exists()
    if end.startswith("SIG"):
        os.kill(script.pid, signal.Signals[end])
    else:
        script.stdin.write(f"{end}\n")
        script.stdin.flush()
    if end == "stop":
        assert script.stdout.readline() == "stopped\n"
    else:
        script.wait(20)
    assert eventually(lambda: not any(lives(pid) for pid in children))
    assert eventually(lambda: not (spaces - {os.readlink("/proc/self/ns/net")}) & all_spaces())
    assert eventually(lambda: block == "127.0.0" or f" {block}." not in routes())
    assert not Path(ca_file).parent.exists()


def children_of(parent: int) -> tuple[set[int], set[str]]:
    """The processes that the script started, and the network namespaces they live in."""
    pids = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[1]) == parent:
                pids.add(int(stat.parent.name))
    return pids, {os.readlink(f"/proc/{pid}/ns/net") for pid in pids}


def lives(pid: int) -> bool:
    """Whether it runs; a zombie that its new parent has not yet collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def all_spaces() -> set[str]:
    spaces = set()
    for link in Path("/proc").glob("[0-9]*/ns/net"):
        with suppress(OSError):
            spaces.add(os.readlink(link))
    return spaces


def routes() -> str:
    return Path("/proc/self/net/fib_trie").read_text()


def test_a_fork_of_the_owner_does_not_stop_the_lab(lab: Lab) -> None:
    pid = os.fork()
    if pid == 0:
        lab.stop()
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    assert lab.requests()["fra"] >= 0
    assert lab.ca_file is None or Path(lab.ca_file).exists()
    target = urlsplit(lab.urls["fra"])
    socket.create_connection((target.hostname, target.port), 20).close()


def test_tun_mode_needs_no_rights_in_a_namespace_of_its_own() -> None:
    if not rootless_possible():
        pytest.skip("no user namespaces here")
    code = (
        "import urllib.request\n"
        "from edgeclient.lab import Lab\n"
        "with Lab({'fra': 1}, tls=False) as lab, urllib.request.build_opener(urllib.request.ProxyHandler({})).open(\n"
        "    lab.anthropic_urls['fra'] + '/cdn-cgi/trace', timeout=20\n"
        ") as answer:\n"
        "    print(lab.mode, b'colo=FRA' in answer.read())\n"
    )
    command = run_in_namespace([sys.executable, "-c", code])
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=ENVIRONMENT)
    assert (done.stdout, done.returncode) == ("tun True\n", 0), done.stderr
