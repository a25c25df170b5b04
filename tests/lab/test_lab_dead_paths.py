"""A path that dies under a warm connection, with true packets: the call goes on at the next PoP, and only once."""

from __future__ import annotations

import threading
import time
from typing import Any

import openai
import pytest

from edgeclient import Edge, Endpoint, notes
from edgeclient.http import thinking
from edgeclient.lab import Lab

ASKED: dict[str, Any] = {"model": "gpt-4o", "messages": [{"role": "user", "content": "How far is Frankfurt?"}]}


@pytest.mark.usefixtures("tun")
@pytest.mark.parametrize("watchdog", [True, False])
def test_a_call_on_a_dead_path_goes_on_at_the_next_pop(watchdog: bool) -> None:
    # Python before 3.11.9 and 3.12.3 hides errno behind an end of stream under TLS (gh-115627): plain for the options.
    model: dict[str, Any] = {"first_token_ms": (4, 8), "tokens_per_s": 4000}
    with Lab({"fra": 10.0, "nyc": 60.0}, origin_ms=80, mode="tun", tls=watchdog, **model) as lab:
        endpoints = [Endpoint(lab.urls[pop], name=pop, key="passthrough") for pop in lab.urls]
        edge = Edge(endpoints=endpoints, origins=[lab.origin_url], probe=False, watchdog=watchdog)
        http_client = openai.DefaultHttpxClient(verify=lab.ssl_context() or True, trust_env=False)
        edge.keep_alive(http_client)
        edge.probe()
        said: dict[str, Any] = {"api_key": "k", "base_url": lab.origin_url, "http_client": http_client}
        with edge.OpenAI(**said, max_retries=0, timeout=60) as client:
            for _ in range(2):
                client.chat.completions.create(**ASKED)
            before = lab.requests()
            lab.fault("fra", "swallow")
            answer = notes(client.chat.completions.create(**ASKED))
            assert answer is not None
            tried = [(attempt.endpoint, attempt.outcome) for attempt in answer.tried]
            assert tried == [("fra", "connection_write_timeout"), ("nyc", "ok")]
            assert next(e for e in edge.status().endpoints if e.name == "fra").state == "ejected"
            lab.clear("fra")  # what was given up is not delivered after all
            client.chat.completions.create(**ASKED)
            after = lab.requests()
        assert (after["fra"], after["origin"]) == (before["fra"], before["origin"] + 2)


def thought_about(think_s: float, cut_s: float, gap_s: float | None, dead_path_s: float = 2.0) -> str:
    """What became of a call that takes so long at the PoP, on a path that is cut then, for so long or for good."""
    model: dict[str, Any] = {"first_token_ms": (1e3 * think_s, 1e3 * think_s + 1), "tokens_per_s": 4000}
    with Lab({"fra": 10.0}, origin_ms=80, mode="tun", tls=False, **model) as lab:
        fra = Endpoint(lab.urls["fra"], name="fra", key="passthrough")
        edge = Edge(endpoints=[fra], origins=[lab.origin_url], origin="never", probe=False, dead_path_s=dead_path_s)
        over = threading.Event()

        def cut() -> None:
            over.wait(cut_s)
            lab.fault("fra", "swallow")
            over.wait(gap_s)
            lab.clear("fra")

        with edge.OpenAI(api_key="k", base_url=lab.origin_url, max_retries=0, timeout=2 * think_s) as client:
            cutting = threading.Thread(target=cut)
            cutting.start()
            try:
                client.chat.completions.create(**ASKED)
            except openai.APIConnectionError:
                pass  # what was noticed is the edge's to say: the SDK makes a timeout of a dead path too
            finally:
                over.set()
                cutting.join()
        return edge.status().endpoints[0].last_failure


@pytest.mark.usefixtures("tun")
@pytest.mark.parametrize(("gap_s", "became"), [(1.2, ""), (None, "connection_terminated")], ids=["a gap", "for good"])
def test_a_path_is_cut_while_the_model_thinks(
    gap_s: float | None, became: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With smaller figures than ours: one lost probe ends no call, three in a row do."""
    for name, figure in {"_LOOK_S": 0.3, "_IDLE_S": 1, "_PAUSE_S": 1, "_LOST": 3}.items():
        monkeypatch.setattr(thinking, name, figure)
    assert thought_about(3.0 if gap_s else 10.0, 0.8, gap_s, 1.0) == became


@pytest.mark.slow
@pytest.mark.usefixtures("tun")
@pytest.mark.parametrize(
    ("think_s", "gap_s", "became"), [(16.0, 1.3, ""), (45.0, 20.0, ""), (70.0, None, "connection_terminated")]
)
def test_the_figures_that_we_have(think_s: float, gap_s: float | None, became: str) -> None:
    """The first probe is lost, some are, all are. The last one is noticed long before the SDK's timeout of 140 seconds."""
    assert thought_about(think_s, 12.5, gap_s) == became


@pytest.mark.usefixtures("tun")
def test_a_gap_while_the_model_thinks_ends_no_call() -> None:
    """Two seconds of silence and then a gap of two more: the plain SDK's call survives, and so does ours."""
    model: dict[str, Any] = {"first_token_ms": (5000, 5001), "tokens_per_s": 4000}
    with Lab({"fra": 10.0}, origin_ms=80, mode="tun", tls=False, **model) as lab:
        fra = Endpoint(lab.urls["fra"], name="fra", key="passthrough")
        edge = Edge(endpoints=[fra], origins=[lab.origin_url], origin="never", probe=False)

        def gap() -> None:
            time.sleep(1.5)  # the request has been acknowledged
            lab.fault("fra", "swallow")
            time.sleep(2.2)
            lab.clear("fra")

        with edge.OpenAI(api_key="k", base_url=lab.origin_url, max_retries=0, timeout=60) as client:
            cut = threading.Thread(target=gap)
            cut.start()
            answer = notes(client.chat.completions.create(**ASKED))
            cut.join()
        assert answer is not None
        assert [(attempt.endpoint, attempt.outcome) for attempt in answer.tried] == [("fra", "ok")]
