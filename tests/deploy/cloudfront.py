"""A CloudFront on loopback, as strict as its documentation: runs a distribution's functions in AWS's own runtime client.

What it does is read from the project's `template.json`: which events have the function, which headers are in the cache key,
which methods are kept, which headers go to the origin. It is started by a test, and opens sockets on 127.0.0.1 only.
Sources: docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide: edge-function-restrictions-all, lambda-event-structure,
add-origin-custom-headers, RequestAndResponseBehaviorCustomOrigin.
"""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import queue
import re
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

POP = "BOM78-P1"
# "If your function adds one of these headers, it fails CloudFront validation and CloudFront returns HTTP status code 502."
_DISALLOWED = re.compile(
    r"connection|expect|keep-alive|proxy-(authenticate|authorization|connection)|trailer|upgrade|x-accel-.*|x-amz-cf-.*"
    r"|x-amzn-.*|x-cache.*|x-edge-.*|x-forwarded-proto|x-real-ip"
)
_READ_ONLY = {
    "viewer-request": {"content-length", "host", "transfer-encoding", "via"},
    "origin-request": {"accept-encoding", "content-length", "if-modified-since", "if-none-match", "transfer-encoding", "via"},
    "origin-response": {"transfer-encoding", "via"},
}  # fmt: skip
_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "te", "upgrade"}
_LARGEST_GENERATED = {"viewer-request": 40_000, "origin-request": 1_000_000}
Headers = dict[str, list[dict[str, str]]]


class InvalidError(Exception):
    """The function returned what CloudFront does not take."""


@dataclass
class Distribution:
    """What the template says of one."""

    events: set[str]
    key_headers: list[str]
    kept_methods: set[str]
    custom_headers: dict[str, str]
    ttl_s: float

    @classmethod
    def of(cls, template: Mapping[str, Any], given: Mapping[str, str]) -> Distribution:
        """Reads a template with the parameters given."""
        resources = template["Resources"]
        settings = resources["Distribution"]["Properties"]["DistributionConfig"]
        behaviour, (origin,) = settings["DefaultCacheBehavior"], settings["Origins"]
        policy = resources["CachePolicy"]["Properties"]["CachePolicyConfig"]
        assert behaviour["CachePolicyId"] == {"Ref": "CachePolicy"}
        assert all(not one.get("IncludeBody") for one in behaviour["LambdaFunctionAssociations"])
        custom = {}
        for condition, header, _ in (one["Fn::If"] for one in origin["OriginCustomHeaders"]):
            value = given[header["HeaderValue"]["Ref"]]
            assert condition in template["Conditions"]
            if value:
                custom[header["HeaderName"]] = value
        return cls(
            {one["EventType"] for one in behaviour["LambdaFunctionAssociations"]},
            policy["ParametersInCacheKeyAndForwardedToOrigin"]["HeadersConfig"]["Headers"],
            set(behaviour["CachedMethods"]),
            custom,
            float(given["CacheSeconds"]),
        )


@dataclass
class CloudFront:
    """The running front: `url` for viewers, `runtime_api` for `python -m awslambdaric`."""

    distribution: Distribution
    kept: dict[tuple[str, ...], tuple[float, int, list[tuple[str, str]], bytes]] = field(default_factory=dict)
    waiting: queue.Queue[tuple[str, Any]] = field(default_factory=queue.Queue)
    answers: dict[str, queue.Queue[tuple[str, Any]]] = field(default_factory=dict)

    def __enter__(self) -> CloudFront:
        self._servers = [_Server(("127.0.0.1", 0), kind) for kind in (_Viewer, _RuntimeApi)]
        for server in self._servers:
            server.front = self
            threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        viewer, runtime = (f"127.0.0.1:{server.server_address[1]}" for server in self._servers)
        self.url, self.runtime_api = f"http://{viewer}", runtime
        return self

    def __exit__(self, *error: object) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()

    def invoke(self, kind: str, fields: dict[str, Any]) -> dict[str, Any]:
        """What the function returns for an event, checked; raises InvalidError."""
        number = str(uuid.uuid4())
        config = {"distributionDomainName": "d111.cloudfront.net", "distributionId": "EDF", "eventType": kind}
        answer = self.answers[number] = queue.Queue()
        self.waiting.put((number, {"Records": [{"cf": {"config": {**config, "requestId": number}, **fields}}]}))
        how, said = answer.get(timeout=20)
        del self.answers[number]
        if how == "error":
            raise InvalidError(f"LambdaExecutionError: {said}")
        _check(kind, fields, said)
        return said  # type: ignore[no-any-return]


def _check(kind: str, given: dict[str, Any], said: Any) -> None:
    if not isinstance(said, dict):
        raise InvalidError(f"{said!r} is neither a request nor a response")
    before: Headers = (
        given.get("response", given["request"])["headers"] if "method" in said or "response" in given else {}
    )
    for name, lines in said.get("headers", {}).items():
        if name != name.lower() or not lines or any(set(line) != {"key", "value"} for line in lines):
            raise InvalidError(f"header {name}: {lines}")
        if any(line["key"].lower() != name or not isinstance(line["value"], str) for line in lines):
            raise InvalidError(f"header {name}: {lines}")
        if _DISALLOWED.fullmatch(name):
            raise InvalidError(f"header {name} is disallowed")
    for name in _READ_ONLY[kind] if before else ():
        if said["headers"].get(name) != before.get(name):
            raise InvalidError(f"header {name} is read-only in {kind}")
    if "status" in said and kind != "origin-response":
        if not isinstance(said["status"], str) or not 200 <= int(said["status"]) <= 599:
            raise InvalidError(f"status {said['status']!r}")
        if len(json.dumps(said)) > _LARGEST_GENERATED[kind]:
            raise InvalidError("a generated response is too large")
    elif "method" in said and said["method"] != given["request"]["method"]:
        raise InvalidError("the method is read-only")


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    front: CloudFront

    def handle_error(self, request: Any, client_address: Any) -> None: ...  # a viewer that left: its right


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Server

    def log_message(self, format: str, *args: object) -> None: ...

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("content-length") or 0))


class _RuntimeApi(_Handler):
    """docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html"""

    def do_GET(self) -> None:
        number, event = self.server.front.waiting.get()
        body = json.dumps(event).encode()
        self.send_response(200)
        self.send_header("Lambda-Runtime-Aws-Request-Id", number)
        self.send_header("Lambda-Runtime-Deadline-Ms", str(int((time.time() + 5) * 1000)))
        self.send_header("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:123456789012:function:edge:1")
        self.send_header("Content-Type", "application/json")  # the client's native part fails without it
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def do_POST(self) -> None:
        *_, number, how = self.path.split("/")
        said = json.loads(self.body())
        if number in self.server.front.answers:
            self.server.front.answers[number].put((how, said))
        self.send_response(202)
        self.send_header("content-length", "0")
        self.end_headers()
        self.wfile.flush()


class _Viewer(_Handler):
    """One connection of a viewer."""

    _numbers = itertools.count()

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def _serve(self) -> None:
        self._asked, body = time.monotonic(), self.body()
        try:
            self._pass(body)
        except InvalidError as error:
            self._whole(
                502, [("content-type", "text/plain")], str(error).encode(), "LambdaValidationError from cloudfront"
            )
        except (OSError, http.client.HTTPException) as error:
            if self._begun:
                self.close_connection = True
                return
            self._whole(502, [("content-type", "text/html")], f"502: {error}".encode(), "Error from cloudfront")

    def _pass(self, body: bytes) -> None:
        front, self._begun = self.server.front, False
        uri, _, query = self.path.partition("?")
        headers: Headers = {}
        for name, value in self.headers.items():
            if name.lower() not in _HOP - {"content-length"}:
                headers.setdefault(name.lower(), []).append({"key": name, "value": value})
        request = {
            "clientIp": "127.0.0.1",
            "method": self.command,
            "uri": uri,
            "querystring": query,
            "headers": headers,
        }
        request = front.invoke("viewer-request", {"request": request})
        if "status" in request:
            return self._generated(request)
        said: Headers = request["headers"]
        key = (
            request["uri"],
            request["querystring"],
            *(str(said.get(name)) for name in front.distribution.key_headers),
        )
        keeps = self.command in front.distribution.kept_methods
        if keeps and key in front.kept and front.kept[key][0] > time.monotonic():
            _, status, lines, kept = front.kept[key]
            return self._whole(status, lines, kept, "Hit from cloudfront")
        origin = {
            "customHeaders": {n: [{"key": n, "value": v}] for n, v in front.distribution.custom_headers.items()},
            "domainName": "api.openai.com", "keepaliveTimeout": 60, "path": "", "port": 443, "protocol": "https",
            "readTimeout": 60, "sslProtocols": ["TLSv1.2"],
        }  # fmt: skip
        # The managed policy AllViewerExceptHostHeader; CloudFront itself writes who it is.
        said = {name: lines for name, lines in said.items() if name != "host"}
        said["host"] = [{"key": "Host", "value": "api.openai.com"}]
        said["via"] = [{"key": "Via", "value": "1.1 0a1b.cloudfront.net (CloudFront)"}]
        said["x-forwarded-for"] = [{"key": "X-Forwarded-For", "value": "127.0.0.1"}]
        request = front.invoke(
            "origin-request", {"request": {**request, "headers": said, "origin": {"custom": origin}}}
        )
        if "status" in request:
            return self._generated(request)
        self._fetch(request, body, key if keeps else None)

    def _fetch(self, request: dict[str, Any], body: bytes, key: tuple[str, ...] | None) -> None:
        origin = request["origin"]["custom"]
        upstream = http.client.HTTPConnection(origin["domainName"], origin["port"], timeout=origin["readTimeout"])
        sent = {name: lines[0]["value"] for name, lines in request["headers"].items() if name not in _HOP}
        sent |= {name: lines[0]["value"] for name, lines in origin["customHeaders"].items()}
        query = f"?{request['querystring']}" if request["querystring"] else ""
        with contextlib.closing(upstream):
            upstream.request(request["method"], request["uri"] + query, body or None, sent)
            with upstream.getresponse() as came:
                self._pass_on(request, came, key)

    def _pass_on(self, request: dict[str, Any], came: http.client.HTTPResponse, key: tuple[str, ...] | None) -> None:
        front = self.server.front
        headers: Headers = {}
        for name, value in came.getheaders():
            if name.lower() not in _HOP:
                headers.setdefault(name.lower(), []).append({"key": name, "value": value})
        response = {"status": str(came.status), "statusDescription": came.reason, "headers": headers}
        said = front.invoke("origin-response", {"request": request, "response": response})
        lines = [(line["key"], line["value"]) for several in said["headers"].values() for line in several]
        ttl_s = _ttl_s(said["headers"], front.distribution.ttl_s)
        if key is not None and came.status == 200 and ttl_s > 0:
            whole = came.read()
            front.kept[key] = (time.monotonic() + ttl_s, came.status, lines, whole)
            self._whole(came.status, lines, whole, "Miss from cloudfront")
        else:
            self._stream(came, lines)

    def _stream(self, came: http.client.HTTPResponse, lines: list[tuple[str, str]]) -> None:
        whole = came.headers["content-length"]
        framing = ("transfer-encoding", "chunked") if whole is None else ("content-length", whole)
        self._head(
            came.status, [*lines, framing], "Miss from cloudfront" if came.status < 400 else "Error from cloudfront"
        )
        left = int(whole) if whole is not None else None
        while piece := came.read1(65536):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece) if left is None else piece)
            self.wfile.flush()
            left = left - len(piece) if left is not None else None
        if left:
            raise http.client.IncompleteRead(b"", left)
        self.wfile.write(b"0\r\n\r\n" if left is None else b"")
        self.wfile.flush()

    def _generated(self, said: dict[str, Any]) -> None:
        lines = [(line["key"], line["value"]) for several in said.get("headers", {}).values() for line in several]
        self._whole(
            int(said["status"]), lines, said.get("body", "").encode(), "LambdaGeneratedResponse from cloudfront"
        )

    def _whole(self, status: int, lines: list[tuple[str, str]], body: bytes, how: str) -> None:
        self._head(status, [*lines, ("content-length", str(len(body)))], how)
        self.wfile.write(body)
        self.wfile.flush()

    def _head(self, status: int, lines: list[tuple[str, str]], how: str) -> None:
        self._begun = True
        took = f"cdn-upstream-fbl;dur={(time.monotonic() - self._asked) * 1e3:.0f}"
        timing = f'cdn-cache-{"hit" if how[:3] == "Hit" else "miss"}, cdn-pop;desc="{POP}", {took}'
        number = f"{next(self._numbers):032x}"
        of_its_own = [("x-cache", how), ("x-amz-cf-pop", POP), ("x-amz-cf-id", number), ("server-timing", timing)]
        self.send_response_only(status)
        for name, value in [*lines, ("via", "1.1 0a1b.cloudfront.net (CloudFront)"), *of_its_own]:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.flush()


def _ttl_s(headers: Headers, default_s: float) -> float:
    """How long CloudFront keeps an answer: what Cache-Control says, at most the policy's."""
    said = ",".join(line["value"] for line in headers.get("cache-control", ()))
    if re.search("no-store|no-cache|private", said):
        return 0.0
    age = re.search(r"max-age=(\d+)", said)
    return min(default_s, float(age[1])) if age else default_s
