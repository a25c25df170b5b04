"""Real PostgreSQL servers for tests: on loopback, started and ended here. In CI one that is missing is a failure."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from servers import Killable, free_port

USER, PASSWORD = "edge", "s3cr3t"
# A server that is quick to start and safe to kill: a killed process loses nothing without fsync, a machine would.
_OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "fsync": "off",
    "shared_buffers": "16MB",
    "max_connections": "40",
    "dynamic_shared_memory_type": "mmap",
    "restart_after_crash": "on",
}


def program(name: str) -> str:
    """One of the server's programs, from the PATH, Debian's folder or the wheel `pgserver`; skips where there is none."""
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    wheel = importlib.util.find_spec("pgserver")
    if wheel is not None and wheel.origin is not None and os.geteuid() != 0:
        places.append(Path(wheel.origin).parent / "pginstall" / "bin")
    found = shutil.which(name, path=os.pathsep.join([*map(str, places), os.environ.get("PATH", "")]))
    if found is None:
        pytest.skip("no PostgreSQL server (Debian: apt-get install postgresql; elsewhere: pip install pgserver)")
    return found


def _account() -> dict[str, Any]:
    """Who runs the server: root may not."""
    if os.geteuid() != 0:
        return {}
    import pwd

    names = {found.pw_name: found for found in pwd.getpwall()}
    who = names.get("postgres") or names["nobody"]
    return {"user": who.pw_uid, "group": who.pw_gid, "extra_groups": []}


class Server(Killable):
    """One server on a port of its own. It can be killed, started again, stopped, frozen and told things.

    Killed is the first of its processes, as the kernel does that is out of memory; the others end when they notice.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self.port = folder, free_port()
        super().__init__()
        self._make()
        self.start()

    @property
    def url(self) -> str:
        return self.url_of("edge")

    def url_of(self, database: str, password: str = PASSWORD) -> str:
        return f"postgresql://{USER}:{password}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        said = [item for name, value in _OPTIONS.items() for item in ("-c", f"{name}={value}")]
        said += ["-c", f"port={self.port}", "-c", f"unix_socket_directories={self._folder}"]
        command = [program("postgres"), "-D", str(self._folder / "data"), *said]
        self._begin(command, self._answers, cwd=self._folder, **_account())

    def stop(self) -> None:
        """As an administrator does, who waits for nobody."""
        assert self._process is not None
        self._process.send_signal(signal.SIGINT)
        self._process.wait()
        self._process = None

    def freeze(self) -> None:
        self._all(signal.SIGSTOP)

    def thaw(self) -> None:
        self._all(signal.SIGCONT)

    def tell(self, statement: str, database: str = "edge") -> list[tuple[Any, ...]]:
        """Run one statement there."""
        import psycopg

        with psycopg.connect(self.url_of(database), autocommit=True, connect_timeout=20) as db:
            cursor = db.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def renew(self) -> None:
        """Well again, whatever was done to it, and empty."""
        self.thaw()
        self.kill()
        self.start()
        self.forget()

    def forget(self) -> None:
        """As new, for the next test."""
        self.tell("DROP TABLE IF EXISTS edgeclient_entries, edgeclient_leases, edgeclient_marks")

    def _make(self) -> None:
        secret = self._folder / "password"
        secret.write_text(PASSWORD)
        account = _account()
        if account:
            for path in (self._folder, secret):
                os.chown(path, account["user"], account["group"])
        said = ["--auth=scram-sha-256", "--no-sync", "--encoding=UTF8", "--locale=C", f"--username={USER}"]
        made = [program("initdb"), "-D", str(self._folder / "data"), f"--pwfile={secret}", *said]
        subprocess.run(made, check=True, capture_output=True, cwd=self._folder, **account)

    def fill(self, pid: int) -> None:
        """Let one session write no file any further: to PostgreSQL a disk that is full."""
        subprocess.run(["prlimit", f"--pid={pid}", "--fsize=0:unlimited"], check=True, **_account())

    def _all(self, what: signal.Signals) -> None:
        """The server and its children. Each of them is a session of its own, so that no group holds them all."""
        assert self._process is not None
        first = self._process.pid
        os.kill(first, what)
        for found in Path("/proc").glob("[0-9]*/stat"):
            try:
                pid, parent = int(found.parent.name), int(found.read_text().rpartition(")")[2].split()[1])
                if parent == first:
                    os.kill(pid, what)
            except OSError:
                pass

    def _answers(self) -> bool:
        import psycopg

        try:
            with socket.create_connection(("127.0.0.1", self.port), 1.0):
                pass
            with psycopg.connect(self.url_of("postgres"), autocommit=True, connect_timeout=20) as db:
                if not db.execute("SELECT 1 FROM pg_database WHERE datname = 'edge'").fetchall():
                    db.execute("CREATE DATABASE edge")
            return True
        except (OSError, psycopg.OperationalError):
            return False


@contextmanager
def running() -> Iterator[Server]:
    """One in a folder of its own: that of a test belongs to root, where root runs it."""
    folder = Path(tempfile.mkdtemp(prefix="edgeclient-pg-"))
    server: Server | None = None
    try:
        server = Server(folder)
        yield server
    finally:
        if server is not None:
            server.kill()
        shutil.rmtree(folder, ignore_errors=True)
