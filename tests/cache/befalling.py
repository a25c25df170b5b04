"""Calls over a store whose server something befalls, and a line to a server that a test can hold up."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable

from pipeline.scripted import A, Run, ok, policies, request
from pipeline.test_pipeline import ask
from stores import Clock, Mishaps

from edgeclient.cache.stores.guarded import Guarded

PATIENCE_S = 20.0
SHORT_S = 0.03
QUESTIONS = [f"{n}?" for n in range(20)]


class Befallen:
    """Calls through the pipeline, over a store on a server. Its breakers' clock stands still unless a test moves it."""

    def __init__(self, make: Callable[[Mishaps, Clock], Guarded], run: Run) -> None:
        self.mishaps, self.clock, self.run = Mishaps(), Clock(), run
        self.store = make(self.mishaps, self.clock)
        self.edge = policies(A, store=self.store)
        self.rt = run.runtime(a=ok())

    def calls(self, *questions: str) -> list[str]:
        """What the cache said to each; every call has an answer."""
        said = []
        for question in questions:
            reply = ask(self.run, self.rt, self.edge, request(question))
            assert reply.status == 200 and reply.notes is not None
            said.append(reply.notes.cache)
        return said

    def settle(self) -> None:
        assert self.store.flush(PATIENCE_S)

    def recovers(self) -> bool:
        """True when calls find answers again, within three trials: 2 s apart at the most."""
        self.store._budget_s = PATIENCE_S
        for _ in range(3):
            self.clock.now += 2.1
            self.calls("again?")
            self.settle()
        return self.calls("again?") == ["hit"]


class Line:
    """A line to a server, which can hold back what the server says, or is a long one; with `answer`, a stranger who always
    says that."""

    def __init__(self, port: int, answer: bytes = b"", *, delay_s: float = 0.0) -> None:
        self._to, self._answer, self._delay_s = port, answer, delay_s
        self._flows = threading.Event()
        self._flows.set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def hold(self) -> None:
        self._flows.clear()

    def let_go(self) -> None:
        self._flows.set()

    def __enter__(self) -> Line:
        return self

    def __exit__(self, *error: object) -> None:
        self._flows.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for it in self._open:
            it.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(client)
            if self._answer:
                threading.Thread(target=self._say, args=(client,), daemon=True).start()
                continue
            server = socket.create_connection(("127.0.0.1", self._to))
            self._open.append(server)
            threading.Thread(target=self._pass, args=(client, server, None), daemon=True).start()
            threading.Thread(target=self._pass, args=(server, client, self._flows), daemon=True).start()

    def _say(self, client: socket.socket) -> None:
        try:
            while client.recv(65536):
                client.sendall(self._answer)
        except OSError:
            pass

    def _pass(self, one: socket.socket, other: socket.socket, flows: threading.Event | None) -> None:
        try:
            while data := one.recv(65536):
                if flows is not None:
                    flows.wait(PATIENCE_S)
                    time.sleep(self._delay_s)
                other.sendall(data)
        except OSError:
            pass
        for it in (one, other):
            it.close()
