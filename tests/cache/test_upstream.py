"""Whether a cache on the way gave an answer, how old and for how long: tables of headers, and what holds for any."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeclient.cache.upstream import Upstream, read

CASES = [
    ({}, ""),
    ({"cache-status": "edge-pop; hit; ttl=3588"}, "hit"),
    ({"Cache-Status": "edge-pop;hit"}, "hit"),
    ({"cache-status": 'edge-pop; hit=?1; key="x"'}, "hit"),
    ({"cache-status": "edge-pop; hit=?0"}, "miss"),
    ({"cache-status": "edge-pop; fwd=miss; stored"}, "miss"),
    ({"cache-status": "edge-pop; fwd=method"}, "miss"),
    ({"cache-status": "OriginCache; hit; ttl=30, edge-pop; fwd=miss; stored"}, "hit"),  # RFC 9211, section 3
    ({"cache-status": 'edge-pop; fwd=miss; key="a, b; hit"'}, "miss"),
    ({"cache-status": 'edge-pop; fwd=miss; key="a\\", b; hit"'}, "miss"),
    ({"cache-status": "hit"}, "miss"),  # a cache of that name
    ({"cache-status": "edge-pop; hit" + " " * 3000}, ""),
    ({"x-cache": "Hit from cloudfront"}, "hit"),
    ({"x-cache": "Miss from cloudfront"}, "miss"),
    ({"x-cache": "LambdaGeneratedResponse from cloudfront"}, ""),
    ({"cf-aig-cache-status": "HIT"}, "hit"),
    ({"cf-aig-cache-status": "MISS", "cache-status": "edge-pop; hit"}, "hit"),
    ({"cache-status": "edge-pop; hit", "x-cache": "Miss from cloudfront"}, "hit"),
    ({"x-openrouter-cache-status": "HIT"}, "hit"),
    ({"x-portkey-cache-status": "SEMANTIC HIT"}, "hit"),
    ({"x-portkey-cache-status": "SEMANTIC MISS"}, "miss"),
    ({"x-portkey-cache-status": "DISABLED"}, ""),
    ({"helicone-cache": "MISS"}, "miss"),
    ({"x-litellm-cache-key": "586bf3"}, "hit"),
    ({"age": "0"}, ""),
    ({"age": "12"}, "hit"),
    ({"age": "12", "x-cache": "Miss from cloudfront"}, "miss"),
]
TIMES = [
    ({"cache-status": "edge-pop; hit; ttl=3588"}, Upstream("hit", None, 3588)),
    ({"cache-status": "edge-pop; fwd=miss; ttl=3588"}, Upstream("miss")),
    ({"cache-status": "a; hit; ttl=30, b; hit; ttl=-2"}, Upstream("hit", None, -2)),
    ({"cache-status": 'a; hit; key="; ttl=5"; ttl=x'}, Upstream("hit")),
    ({"cache-status": "a; hit; ttl=30", "age": "12"}, Upstream("hit", 12, 30)),
    ({"x-openrouter-cache-status": "HIT", "x-openrouter-cache-age": "3"}, Upstream("hit", 3)),
    ({"age": "-1"}, Upstream()),
    ({"age": "9" * 30}, Upstream()),
    ({"age": "1, 2"}, Upstream()),
    ({"age": "\u00b2"}, Upstream()),
]


@pytest.mark.parametrize(("headers", "said"), CASES, ids=str)
def test_headers_say_whether_a_cache_answered(headers: dict[str, str], said: str) -> None:
    assert read([(name.encode(), value.encode()) for name, value in headers.items()]).said == said


@pytest.mark.parametrize(("headers", "found"), TIMES, ids=str)
def test_headers_say_how_old_it_is_and_for_how_long(headers: dict[str, str], found: Upstream) -> None:
    assert read([(name.encode(), value.encode()) for name, value in headers.items()]) == found


def test_an_answer_is_kept_as_long_as_both_caches_would() -> None:
    assert Upstream().lifetime_s(3600) == 3600
    assert Upstream("hit", 600).lifetime_s(3600) == 3000
    assert Upstream("hit", 600, 60).lifetime_s(3600) == 60
    assert Upstream("hit", 7200).lifetime_s(3600) < 0


NAMES = st.sampled_from([b"cache-status", b"x-cache", b"Cache-Status", b"age", b"other"])


@given(st.lists(st.tuples(NAMES, st.binary())))
def test_nothing_breaks_it(headers: list[tuple[bytes, bytes]]) -> None:
    found = read(headers)
    assert found.said in ("", "hit", "miss") and found.lifetime_s(60.0) <= 60.0
