"""How many further attempts all calls of an edge may spend together: a token bucket, as in the AWS SDKs. Pure; thread-safe.

Where a few calls fail, each gets its second attempt. Where most fail, more attempts would multiply the load of endpoints that
are in trouble already; then a call gets the one attempt that the plain SDK would make: the client's own origin.
"""

from __future__ import annotations

import threading

from ..values import Failure

_CAPACITY = 500
_PRICE, _PRICE_THROTTLED = 14, 5  # 35 further attempts at once; a refusal by a rate limit costs the endpoint little
_GAIN = 1  # for an answer at the first attempt: in the long run one further attempt in 14 calls


class RetryBudget:
    """The bucket. Its figures are those of botocore `retries/quota.py` and smithy-rs `token_bucket.rs`."""

    __slots__ = ("_lock", "tokens")

    def __init__(self) -> None:
        self.tokens = _CAPACITY
        self._lock = threading.Lock()

    def pay(self, failure: Failure | None) -> int:
        """What another attempt after this failure costs, taken; 0 when there is not enough left for one."""
        price = _PRICE_THROTTLED if failure is Failure.THROTTLED else _PRICE
        with self._lock:
            if self.tokens < price:
                return 0
            self.tokens -= price
        return price

    def answered(self, paid: int) -> None:
        """An attempt was answered: what it cost comes back, and a first one gains."""
        if self.tokens < _CAPACITY:
            with self._lock:
                self.tokens = min(_CAPACITY, self.tokens + (paid or _GAIN))

    def after_fork(self) -> None:
        """In a forked child: a new lock."""
        self._lock = threading.Lock()
