"""Whether a cache on the way gave an answer: a table of headers, and what holds for any."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeclient.pops.cache_status import cache_of

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
]


@pytest.mark.parametrize(("headers", "said"), CASES, ids=str)
def test_headers_say_whether_a_cache_answered(headers: dict[str, str], said: str) -> None:
    assert cache_of([(name.encode(), value.encode()) for name, value in headers.items()]) == said


NAMES = st.sampled_from([b"cache-status", b"x-cache", b"Cache-Status", b"other"])


@given(st.lists(st.tuples(NAMES, st.binary())))
def test_nothing_breaks_it(headers: list[tuple[bytes, bytes]]) -> None:
    assert cache_of(headers) in ("", "hit", "miss")
