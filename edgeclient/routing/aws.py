"""What the systems at AWS share: the domain of a region, and how their errors are named. Pure."""

from __future__ import annotations

from ..values import Failure
from .systems import Signal

_DOMAINS = (("cn-", "amazonaws.com.cn"), ("eusc-", "amazonaws.eu"))


def domain(region: str) -> str:
    """The domain of a region's hosts. Source: openai 3.57, `providers/bedrock.py`; the isolated regions are left out."""
    return next((domain for beginning, domain in _DOMAINS if region.startswith(beginning)), "amazonaws.com")


def named(failure: Failure | None, status: int, error: str, source: str) -> tuple[Signal, Signal]:
    """An error by its name: in the header that the native APIs send, or in the body."""
    return (
        Signal(failure, (status,), source, header=("x-amzn-errortype", error)),
        Signal(failure, (status,), source, says=error),
    )
