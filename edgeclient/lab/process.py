"""One child process of the lab and the control channel to it: JSON lines over a socket pair.  Starts processes.

A child ends by itself when the channel closes, so nothing outlives a parent that was killed.
"""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from edgeclient.lab.faults import LabError

_ANSWER_TIMEOUT_S = 5.0
_END_TIMEOUT_S = 2.0
_START_TIMEOUT_S = 30.0  # an overloaded machine starts a Python slowly
_ALONE = ("-I", "-S")  # the standard library alone: a child starts in a third of the time
_PACKAGE_ROOT = str(Path(__file__).resolve().parents[2])


def python_command(module: str, *arguments: str) -> list[str]:
    """The command that runs `edgeclient.lab.<module>.main()` in a fresh Python with only the standard library."""
    code = f"import sys; sys.path.append(sys.argv[1]); from edgeclient.lab.{module} import main; main()"
    return [sys.executable, *_ALONE, "-c", code, _PACKAGE_ROOT, *arguments]


Launch = Callable[[], "subprocess.Popen[bytes]"]


class Process:
    """A running child.  Its methods may be called from any thread."""

    def __init__(
        self,
        module: str,
        *,
        descriptors: Iterable[int] = (),
        enter: Callable[[Launch], subprocess.Popen[bytes]] | None = None,
    ) -> None:
        """Starts it.  `enter` runs a function inside a network namespace; the child then lives there."""
        ours, theirs = socket.socketpair()
        self.module = module
        self._control, self._unread, self._number = ours, b"", 0
        self._lock = threading.Lock()
        command = python_command(module, str(theirs.fileno()))
        passed = [theirs.fileno(), *descriptors]

        def launch() -> subprocess.Popen[bytes]:
            nowhere = subprocess.DEVNULL  # whoever reads our output must not wait for the child to end
            return subprocess.Popen(command, stdin=nowhere, stdout=nowhere, pass_fds=passed, start_new_session=True)

        with theirs:
            self._child = enter(launch) if enter else launch()
        self.pid = self._child.pid

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self._child.poll() is None

    def ask(self, operation: str, **fields: object) -> dict[str, object]:
        """Sends one message and returns the reply; raises LabError when there is none in 5 s or it says error."""
        with self._lock:
            return self._receive(self._send(operation, fields), _ANSWER_TIMEOUT_S)

    def post_start(self, **fields: object) -> None:
        """Sends the first message, with the configuration; `await_start` waits for the reply."""
        with self._lock:
            self._send("start", fields)

    def await_start(self) -> None:
        """Returns when the child works; raises LabError when it does not."""
        with self._lock:
            self._receive(1, _START_TIMEOUT_S)

    def kill(self) -> None:
        """SIGKILL, and waits for the end."""
        self._child.kill()
        self._child.wait()
        self._control.close()

    def end(self) -> None:
        """Closes the channel, at which it ends by itself; SIGKILL when it does not."""
        self._control.close()
        try:
            self._child.wait(_END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.kill()

    def _send(self, operation: str, fields: dict[str, object]) -> int:
        self._number += 1
        line = json.dumps({"op": operation, "n": self._number, **fields}).encode() + b"\n"
        try:
            self._control.settimeout(_ANSWER_TIMEOUT_S)
            self._control.sendall(line)
        except OSError as error:
            raise LabError(f"the lab's {self.module} process {self.pid} does not listen: {error}") from error
        return self._number

    def _receive(self, number: int, timeout_s: float) -> dict[str, object]:
        until = time.monotonic() + timeout_s
        while True:
            line = self._read_line(until)
            reply: dict[str, object] = json.loads(line)
            if reply["n"] != number:  # the late answer to a question that timed out
                continue
            if "error" in reply:
                raise LabError(f"the lab's {self.module} process failed: {reply['error']}")
            return reply

    def _read_line(self, until: float) -> bytes:
        while b"\n" not in self._unread:
            try:
                self._control.settimeout(max(0.001, until - time.monotonic()))
                got = self._control.recv(1 << 20)
            except OSError as error:
                raise LabError(f"the lab's {self.module} process {self.pid} does not answer: {error}") from error
            if not got:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._child.wait(1)
                raise LabError(f"the lab's {self.module} process {self.pid} ended (exit code {self._child.poll()})")
            self._unread += got
        line, _, self._unread = self._unread.partition(b"\n")
        return line
