"""Backends around those of a connection pool, which open connections by the better IP version. Open nothing themselves.

They have the documented methods of httpcore's `NetworkBackend`, in both colours, and hand its streams on as they are. A
connection is bound to a version by the wildcard address of that version as its local one: all backends then pass over the
host's other addresses. Hosts that nobody has compared, a proxy's among them, are connected to as without us.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..pops.ip_versions import IpVersions


class _Around:
    def __init__(self, inner: Any, versions: IpVersions) -> None:
        self._inner, self._versions = inner, versions

    def __getattr__(self, name: str) -> Any:  # `sleep`, `connect_unix_socket`
        return getattr(self._inner, name)

    def _may_try_plainly(self, host: str, error: Exception) -> bool:
        """After the better version did not connect: the other one is tried, unless the caller's patience is spent."""
        self._versions.failed(host)
        return type(error).__name__ == "ConnectError"


class Dialer(_Around):
    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> Any:
        better = self._versions.local_address(host) if local_address is None else None
        if better is not None:
            try:
                return self._inner.connect_tcp(host, port, timeout, better, socket_options)
            except Exception as error:
                if not self._may_try_plainly(host, error):
                    raise
        return self._inner.connect_tcp(host, port, timeout, local_address, socket_options)


class AsyncDialer(_Around):
    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> Any:
        better = self._versions.local_address(host) if local_address is None else None
        if better is not None:
            try:
                return await self._inner.connect_tcp(host, port, timeout, better, socket_options)
            except Exception as error:
                if not self._may_try_plainly(host, error):
                    raise
        return await self._inner.connect_tcp(host, port, timeout, local_address, socket_options)
