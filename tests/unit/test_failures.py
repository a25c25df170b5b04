"""What the exceptions of both HTTP families say about an attempt. The exceptions are the families' own."""

from __future__ import annotations

import errno
import socket
import ssl
from typing import Any

import httpx
import httpx2
import pytest

from edgeclient.http.failing import failure_of
from edgeclient.http.sockets import Unacknowledged
from edgeclient.values import Failure

each_family = pytest.mark.parametrize("family", [httpx, httpx2], ids=["httpx", "httpx2"])


def _caused(error: BaseException, cause: BaseException) -> BaseException:
    error.__cause__ = cause
    return error


def _status(family: Any, code: int) -> BaseException:
    request = family.Request("POST", "http://pop.example")
    return family.HTTPStatusError("said by a hook", request=request, response=family.Response(code))  # type: ignore[no-any-return]


@each_family
def test_each_exception_has_its_failure(family: Any) -> None:
    refused, broken = ConnectionRefusedError(), ssl.SSLError("handshake")
    dead = OSError(errno.ETIMEDOUT, "timed out")
    table = [
        (_status(family, 429), Failure.THROTTLED),
        (_status(family, 503), Failure.STATUS),
        (_status(family, 404), None),
        (family.PoolTimeout(""), Failure.POOL),
        (family.ConnectTimeout(""), Failure.CONNECT_TIMEOUT),
        (_caused(family.ConnectError(""), refused), Failure.REFUSED),
        (_caused(family.ConnectError(""), broken), Failure.TLS),
        (_caused(family.ConnectError(""), socket.gaierror()), Failure.DNS),
        (family.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED]"), Failure.TLS),
        (family.ConnectError("no route"), Failure.CONNECT),
        (family.ReadTimeout(""), Failure.READ_TIMEOUT),
        (family.WriteTimeout(""), Failure.READ_TIMEOUT),
        (_caused(family.ReadTimeout(""), dead), Failure.TERMINATED),
        (_caused(family.ReadError(""), _caused(OSError(), dead)), Failure.TERMINATED),
        (_caused(family.ReadError(""), Unacknowledged()), Failure.UNACKNOWLEDGED),
        (family.RemoteProtocolError("Server disconnected without sending a response."), Failure.TERMINATED),
        (family.RemoteProtocolError("illegal status line"), Failure.PROTOCOL),
        (family.DecodingError("not gzip"), Failure.PROTOCOL),
        (family.ReadError(""), Failure.TERMINATED),
        (ssl.SSLError("record"), Failure.TERMINATED),
        (KeyError("a bug"), None),
    ]
    assert [(repr(error), failure_of(error)) for error, _ in table] == [(repr(error), said) for error, said in table]


@each_family
def test_a_timeout_that_came_early_was_never_acknowledged(family: Any) -> None:
    dead = OSError(errno.ETIMEDOUT, "timed out")
    for error in (family.ReadTimeout(""), family.ReadError(""), family.WriteTimeout("")):
        assert failure_of(_caused(error, dead), early=True) is Failure.UNACKNOWLEDGED
    assert failure_of(family.ReadTimeout(""), early=True) is Failure.READ_TIMEOUT
    assert failure_of(family.ConnectTimeout(""), early=True) is Failure.CONNECT_TIMEOUT
