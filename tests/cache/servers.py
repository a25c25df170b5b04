"""Real Redis servers for tests: processes on loopback, started and ended here. In CI one that is missing is a failure."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

_PATIENCE_S = 20.0


def program() -> str:
    """The server's program; skips the test where there is none."""
    found = shutil.which("redis-server") or shutil.which("valkey-server")
    if found is None:
        pytest.skip("no redis-server on the PATH (Debian: apt-get install redis-server)")
    return found


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def until(true: Callable[[], bool]) -> None:
    """Wait for another process to come to be so."""
    last = time.monotonic() + _PATIENCE_S
    while not true():
        assert time.monotonic() < last, "it never came to be so"
        time.sleep(0.01)


class Killable:
    """A process that is begun again and again."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def _begin(self, command: Sequence[str], is_ready: Callable[[], bool], **options: Any) -> None:
        silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self._process = subprocess.Popen(command, **silent, **options)
        try:
            until(is_ready)
        except BaseException:
            self.kill()
            raise

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


class Server(Killable):
    """One server on a port of its own, without persistence. It can be killed, started again, frozen and told things."""

    def __init__(self, folder: Path, *options: str, file: Path | None = None) -> None:
        self._folder, self._options, self.port = folder, options, free_port()
        self._file = [] if file is None else [str(file)]
        super().__init__()
        self.start()

    def start(self) -> None:
        said = ["--port", str(self.port), "--bind", "127.0.0.1", *self._options]
        if not self._file:
            said += ["--save", "", "--appendonly", "no"]
        self._begin([program(), *self._file, *said, "--dir", str(self._folder)], self._listens)

    def freeze(self) -> None:
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGCONT)

    def tell(self, *command: str | int, password: str | None = None) -> Any:
        """Run one command there."""
        import redis

        with redis.Redis(port=self.port, password=password, protocol=2) as client:
            return client.execute_command(*command)

    def raw(self, command: str) -> bytes:
        """The beginning of what it answers, as it comes over the wire."""
        with socket.create_connection(("127.0.0.1", self.port), 1.0) as it:
            it.sendall(command.encode() + b"\r\n")
            return it.recv(65536)

    def _listens(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1.0) as it:
                it.sendall(b"PING\r\n")
                return it.recv(16) != b""
        except OSError:
            return False


@contextmanager
def running(folder: Path, *options: str, file: Path | None = None) -> Iterator[Server]:
    server = Server(folder, *options, file=file)
    try:
        yield server
    finally:
        server.kill()


@contextmanager
def replicated(folder: Path) -> Iterator[tuple[Server, Server, Server]]:
    """A primary, its replica, and a Sentinel that watches them as `main` and is quick to replace the primary."""
    quick = ("--repl-diskless-sync-delay", "0")
    with running(folder, *quick) as primary, running(folder, "--replicaof", "127.0.0.1", str(primary.port)) as replica:
        until(lambda: b"master_link_status:up" in replica.raw("INFO replication"))
        written = folder / "sentinel.conf"
        written.write_text(
            f"sentinel monitor main 127.0.0.1 {primary.port} 1\nsentinel down-after-milliseconds main 300\n"
            "sentinel failover-timeout main 3000\n"
        )
        with running(folder, "--sentinel", file=written) as sentinel:
            until(lambda: str(replica.port).encode() in sentinel.raw("SENTINEL replicas main"))
            yield primary, replica, sentinel


@contextmanager
def clustered(folder: Path) -> Iterator[list[Server]]:
    """Three primaries that share the slots."""
    with ExitStack() as all_of_them:
        servers, buses = list[Server](), list[int]()
        for n in range(3):
            said = [
                "--cluster-enabled",
                "yes",
                "--cluster-config-file",
                f"nodes-{n}.conf",
                "--cluster-node-timeout",
                "1000",
            ]
            buses.append(free_port())  # 10,000 above the other port, where it would be, there may be none
            said += ["--cluster-port", str(buses[-1])]
            servers.append(all_of_them.enter_context(running(folder, *said)))
        for n, server in enumerate(servers):
            server.tell("CLUSTER", "ADDSLOTSRANGE", n * 16384 // 3, (n + 1) * 16384 // 3 - 1)
            server.tell("CLUSTER", "SET-CONFIG-EPOCH", n + 1)
            server.tell("CLUSTER", "MEET", "127.0.0.1", servers[0].port, buses[0])
        for server in servers:
            until(lambda server=server: b"cluster_state:ok" in server.raw("CLUSTER INFO"))  # type: ignore[misc]
            until(lambda server=server: server.raw("CLUSTER NODES").count(b"connected") == 3)  # type: ignore[misc]
        yield servers
