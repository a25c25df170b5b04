"""A PoP's process: relays requests to the origin over pooled connections (opens sockets), streams as they come.

It answers for the small models itself that it was given. It names itself the way a Cloudflare edge does: `cf-ray` on each
answer, and /cdn-cgi/trace answered on the spot.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Mapping

from edgeclient.lab.faults import error_body
from edgeclient.lab.model import Model, asked_for
from edgeclient.lab.server import Connection, Head, Headers, Reply, Request
from edgeclient.lab.sites import Site, run_site

_TRACE = "/cdn-cgi/trace"
_CONNECT_TIMEOUT_S = 10.0


class Pop(Site):
    """An edge site: its own round trip to the client, its own round trip (`backbone_ms`) to the origin."""

    def __init__(self, config: Mapping[str, object]) -> None:
        super().__init__(config)
        self._code = self.name.upper()
        self._random = random.Random(f"{config['seed']}/{self.name}")
        self._backbone_s = float(str(config["backbone_ms"])) / 1e3
        self._origin = (str(config["origin_host"]), int(str(config["origin_port"])))
        self._pool: list[Connection] = []
        here = config.get("here")  # the models that it runs itself
        self._here = {str(name): Model(here, self._random) for name in here["models"]} if isinstance(here, dict) else {}

    def name_itself(self) -> Headers:
        return (("server", "cloudflare"), ("cf-ray", f"{self._random.getrandbits(64):016x}-{self._code}"))

    async def answer(self, request: Request, reply: Reply) -> None:
        if request.path == _TRACE:
            headers = (("content-type", "text/plain"), ("cache-control", "no-cache"), *self.name_itself())
            return await reply.whole(200, headers, self._trace(request))
        own = self._here.get(asked_for(request)) if self._here and request.method == "POST" else None
        if own is not None:
            return await own.answer(request, reply, self.name_itself())
        await asyncio.sleep(self._backbone_s)
        try:
            upstream, head = await self._forward(request)
        except (OSError, EOFError, asyncio.TimeoutError) as error:
            body = error_body(request.path, 502, f"PoP {self.name} cannot reach the origin: {error!r}")
            return await reply.whole(502, (("content-type", "application/json"), *self.name_itself()), body)
        try:
            await self._pass_on(request, upstream, head, reply)
        except BaseException:  # also when the client has gone: the origin learns of it
            upstream.close()
            raise
        if (head.header("connection") or "").lower() == "close":
            upstream.close()
        else:
            self._pool.append(upstream)

    async def _forward(self, request: Request) -> tuple[Connection, Head]:
        """Sends the request on.  A pooled connection that dies meanwhile is replaced once, but never for a POST: the
        origin may have seen it, and a second one would be billed.
        """
        while self._pool:
            upstream = self._pool.pop()
            if upstream.gone.is_set():
                upstream.close()
                continue
            try:
                return upstream, await _send(upstream, request)
            except (OSError, EOFError):
                if request.method == "POST":
                    raise
                break
        upstream = await asyncio.wait_for(Connection.dial(*self._origin), _CONNECT_TIMEOUT_S)
        return upstream, await _send(upstream, request)

    async def _pass_on(self, request: Request, upstream: Connection, head: Head, reply: Reply) -> None:
        status = int(head.first.split(" ")[1])
        length = head.header("content-length")
        chunked = length is None and head.header("transfer-encoding") is not None
        empty = request.method == "HEAD" or status in (204, 304)
        headers = (*head.end_to_end(), *self.name_itself())
        await reply.head(status, headers, None if chunked else int(length or 0))
        if not empty:
            async for piece in upstream.read_body(head, empty=False):
                await reply.body(piece)
        await reply.end()

    def _trace(self, request: Request) -> bytes:
        fields = {
            "fl": "1f1",
            "h": request.head.header("host") or "",
            "ts": f"{time.time():.3f}",
            "visit_scheme": "https",
            "uag": request.head.header("user-agent") or "",
            "colo": self._code,
            "http": "http/1.1",
        }
        return "".join(f"{key}={value}\n" for key, value in fields.items()).encode("latin-1", "replace")


async def _send(upstream: Connection, request: Request) -> Head:
    try:
        lines = [f"{request.method} {request.target} HTTP/1.1"]
        lines += [f"{key}: {value}" for key, value in request.head.end_to_end()]
        if request.body or request.method not in ("GET", "HEAD"):
            lines.append(f"content-length: {len(request.body)}")
        upstream.write("\r\n".join([*lines, "", ""]).encode("latin-1") + request.body)
        await upstream.drain()
        head = await upstream.read_head()
        if head is None:
            raise EOFError("the origin closed without an answer")
    except BaseException:
        upstream.close()
        raise
    return head


def main() -> None:
    """Runs in a process of its own, started by the lab."""
    run_site(Pop)
