"""A path that dies under a warm connection, with true packets: the call goes on at the next PoP, and only once."""

from __future__ import annotations

import threading
import time
from typing import Any

import openai
import pytest

from edgeclient import Edge, Endpoint, notes
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
