"""A mock API on a loopback port whose answers are built from the SDK's own resource methods and response models.

The SDKs' `tests/api_resources` need "a mock server against the OpenAPI spec" on port 4010. The specs are not shipped
in the sdists, so this reads the installed package instead: every `self._post("/path", ..., cast_to=Model)` in
`<package>/resources` gives a route and the model it must answer with, and a minimal JSON value that the model accepts
is made from its annotations. Nothing but the SDK and the standard library is needed, and it fits any version of it.

    python upstream_mock.py openai [--port 0] [--log requests.jsonl]

Prints `ready <port>` when it listens (on 127.0.0.1 only). `--log` writes one line per request: what was on the wire.
"""

from __future__ import annotations

import argparse
import ast
import asyncio
import datetime
import hashlib
import importlib
import importlib.util
import json
import re
import sys
import types
import typing
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

VERBS = {"_get": "GET", "_post": "POST", "_put": "PUT", "_patch": "PATCH", "_delete": "DELETE", "_get_api_list": "GET"}


# ---------------------------------------------------------------------------------------------------- routes
class Route:
    def __init__(self, method: str, template: str, type_: typing.Any, where: str) -> None:
        path, _, query = template.partition("?")
        self.method, self.template, self.type, self.where = method, template, type_, where
        self.query = dict(parse_qsl(query, keep_blank_values=True))
        parts = re.split(r"(\{[^}]*\})", path if path.startswith("/") else "/" + path)
        self.regex = re.compile("".join("[^/]+" if p.startswith("{") else re.escape(p) for p in parts) + "/?$")
        self.literal = (len(self.query), sum(len(p) for p in parts if not p.startswith("{")))
        self.beta = ".beta." in where
        self._body: typing.Any = None

    def body(self) -> tuple[str, bytes]:
        if self._body is None:
            self._body = answer(self.type)
        return self._body


def _template(node: ast.expr) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.Call) and node.args:
        return _template(node.args[0])
    if isinstance(node, ast.JoinedStr):
        return "".join(v.value if isinstance(v, ast.Constant) else "{x}" for v in node.values)
    if isinstance(node, ast.IfExp):
        return _template(node.body)
    return None


def _calls(cls: ast.ClassDef) -> typing.Iterator[tuple[ast.FunctionDef, ast.Call]]:
    for function in [n for n in cls.body if isinstance(n, ast.FunctionDef)]:
        for call in ast.walk(function):
            if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)):
                continue
            if call.args and call.func.attr in VERBS:
                yield function, call


def _flatten(tp: typing.Any) -> list[typing.Any]:
    if hasattr(tp, "__value__"):
        tp = tp.__value__
    if typing.get_origin(tp) in (typing.Union, types.UnionType):
        return [x for a in typing.get_args(tp) for x in _flatten(a)]
    if typing.get_origin(tp) is typing.Annotated:
        return _flatten(typing.get_args(tp)[0])
    return [tp]


def read_routes(package: str) -> tuple[list[Route], list[str]]:
    spec = importlib.util.find_spec(package)
    assert spec is not None and spec.submodule_search_locations
    root = Path(next(iter(spec.submodule_search_locations)))
    routes: list[Route] = []
    unread: list[str] = []
    seen: set[tuple[str, str, bool]] = set()
    for file in sorted((root / "resources").rglob("*.py")):
        name = ".".join([package, *file.relative_to(root).with_suffix("").parts]).removesuffix(".__init__")
        module = importlib.import_module(name)
        for cls in [n for n in ast.parse(file.read_text()).body if isinstance(n, ast.ClassDef)]:
            if cls.name.startswith("Async"):
                continue
            for function, call in _calls(cls):
                where = f"{name}:{call.lineno}"
                kwargs = {k.arg: k.value for k in call.keywords if k.arg}
                template = _template(call.args[0])
                node = kwargs.get("page", kwargs.get("cast_to"))
                if template is None or node is None:
                    unread.append(where)
                    continue
                method = VERBS[call.func.attr]
                if isinstance(kwargs.get("method"), ast.Constant):
                    method = str(kwargs["method"].value).upper()  # type: ignore[attr-defined]
                try:
                    type_ = eval(compile(ast.Expression(node), str(file), "eval"), vars(module))
                except Exception:  # chosen at run time: take the first model the method says it returns
                    try:
                        returns = eval(compile(ast.Expression(function.returns), str(file), "eval"), vars(module))
                        type_ = next(t for t in _flatten(returns) if hasattr(t, "model_fields"))
                    except Exception:
                        unread.append(where)
                        continue
                if (method, template, ".beta." in where) not in seen:
                    seen.add((method, template, ".beta." in where))
                    routes.append(Route(method, template, type_, where))
    routes.sort(key=lambda r: r.literal, reverse=True)
    return routes, unread


# ---------------------------------------------------------------------------------------------------- sample values
def sample(tp: typing.Any, depth: int = 0, typevars: dict[typing.Any, typing.Any] | None = None) -> typing.Any:
    typevars = typevars or {}
    if isinstance(tp, typing.TypeVar):
        tp = typevars.get(tp, str)
    if hasattr(tp, "__value__"):  # TypeAliasType
        tp = tp.__value__
    origin, args = typing.get_origin(tp), typing.get_args(tp)
    if str(origin) == "typing.Annotated" or origin is typing.Annotated:
        return sample(args[0], depth, typevars)
    if tp is None or tp is type(None):
        return None
    if tp in (typing.Any, object):
        return {}
    if origin is typing.Union or isinstance(tp, types.UnionType):
        variants = [a for a in args if a is not type(None)]
        if len(variants) < len(args) and depth > 6:
            return None
        return sample(variants[0], depth, typevars)
    if "Literal" in str(origin):
        return args[0]
    if isinstance(origin, type) and issubclass(origin, (list, tuple, set)):
        return [] if depth > 6 or not args else [sample(args[0], depth + 1, typevars)]
    if "Iterable" in str(origin) or "Sequence" in str(origin):
        return [] if depth > 6 else [sample(args[0], depth + 1, typevars)]
    if origin is dict or "Mapping" in str(origin):
        return {"foo": sample(args[1], depth + 1, typevars)} if args and depth <= 6 else {}
    if isinstance(tp, type):
        if issubclass(tp, bool):
            return True
        if issubclass(tp, int):
            return 0
        if issubclass(tp, float):
            return 0.5
        if issubclass(tp, datetime.datetime):
            return "2019-12-27T18:11:19.117Z"
        if issubclass(tp, datetime.date):
            return "2019-12-27"
        if issubclass(tp, str):
            return "string"
        if issubclass(tp, bytes):
            return "c3RyaW5n"
        fields = getattr(tp, "model_fields", None)
        if fields is not None:
            out = {}
            for name, field in fields.items():
                if not field.is_required() and field.default is None and depth > 0:
                    continue
                out[field.alias or name] = sample(field.annotation, depth + 1, typevars)
            return out
        if hasattr(tp, "__annotations__"):  # TypedDict and other plain annotated classes
            hints = typing.get_type_hints(tp)
            required = getattr(tp, "__required_keys__", hints)
            return {n: sample(t, depth + 1, typevars) for n, t in hints.items() if n in required}
    return "string"


def answer(tp: typing.Any) -> tuple[str, bytes]:
    if tp is type(None):
        return "", b""
    name = getattr(tp, "__name__", str(tp))
    if "BinaryResponseContent" in name or name in ("BinaryAPIResponse", "StreamedBinaryAPIResponse"):
        return "application/octet-stream", b"\x00mock"
    origin = typing.get_origin(tp)
    if "JSONLDecoder" in name or "JSONLDecoder" in str(origin):
        item = sample(typing.get_args(tp)[0])
        return "application/x-jsonl", json.dumps(item).encode() + b"\n"
    if tp is str:
        return "text/plain", b"string"
    return "application/json", json.dumps(sample(tp)).encode()


# ---------------------------------------------------------------------------------------------------- server
VOLATILE = {
    "host",
    "user-agent",
    "connection",
    "accept-encoding",
    "content-length",
    "idempotency-key",
    "x-stainless-raw-response",
    "x-stainless-retry-count",
    "x-stainless-runtime",
    "x-stainless-runtime-version",
}


def wire(method: str, target: str, headers: dict[str, str], body: bytes) -> dict[str, str]:
    """What identifies a request: same as with the vanilla client, or a drop-in changed it on its way."""
    kept = {k: v for k, v in headers.items() if k not in VOLATILE and not k.startswith("x-stainless-helper")}
    boundary = re.search(r"boundary=([^;]+)", kept.get("content-type", ""))
    if boundary:
        kept["content-type"] = kept["content-type"].replace(boundary[1], "B")
        body = body.replace(boundary[1].encode(), b"B")
    text = json.dumps([method, target, sorted(kept.items())]) + hashlib.sha256(body).hexdigest()
    return {"m": method, "t": target, "d": hashlib.sha256(text.encode()).hexdigest()[:16]}


class Mock:
    def __init__(self, package: str, log: str | None = None) -> None:
        self.routes, self.unread = read_routes(package)
        self.log = open(log, "a", buffering=1) if log else None  # noqa: SIM115

    def find(self, method: str, path: str, query: dict[str, str], beta: bool) -> Route | None:
        found = [
            route
            for route in self.routes
            if route.method == method and route.regex.match(path)
            if all(query.get(k) == v for k, v in route.query.items())
        ]
        found = [route for route in found if route.literal == found[0].literal]
        # one path may serve a beta and a plain resource with other models: the beta one sends its header
        found.sort(key=lambda route: route.beta != beta)
        return found[0] if found else None

    def respond(self, method: str, target: str, headers: dict[str, str], body: bytes) -> tuple[int, str, bytes]:
        url = urlsplit(target)
        query = dict(parse_qsl(url.query, keep_blank_values=True))
        beta = any(name.endswith("-beta") for name in headers)
        route = self.find(method, unquote(url.path), query, beta) or self.find(method, url.path, query, beta)
        if route is None:
            return 404, "application/json", json.dumps({"error": {"message": f"no route {method} {url.path}"}}).encode()
        streams = query.get("stream") == "true" or b'name="stream"\r\n\r\ntrue' in body
        if not streams and headers.get("content-type", "").startswith("application/json") and b'"stream"' in body:
            try:
                streams = json.loads(body).get("stream") is True
            except ValueError:
                return 400, "application/json", b'{"error": {"message": "malformed JSON body"}}'
        if streams:
            return 200, "text/event-stream", b"data: [DONE]\n\n"
        kind, data = route.body()
        if not kind:
            return 204, "", b""
        return 200, kind, data

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                method, target, _ = head[0].split(" ", 2)
                headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in head[1:] if line)}
                body = b""
                if "chunked" in headers.get("transfer-encoding", ""):
                    while True:
                        size = int((await reader.readline()).split(b";")[0], 16)
                        body += await reader.readexactly(size)
                        await reader.readline()
                        if not size:
                            break
                elif headers.get("content-length", "0") != "0":
                    body = await reader.readexactly(int(headers["content-length"]))
                status, kind, data = self.respond(method, target, headers, body)
                if self.log:
                    self.log.write(json.dumps({**wire(method, target, headers, body), "s": status}) + "\n")
                out = f"HTTP/1.1 {status} X\r\nx-request-id: req_mock\r\nrequest-id: req_mock\r\n"
                if kind:
                    out += f"content-type: {kind}\r\n"
                if status != 204:
                    out += f"content-length: {len(data)}\r\n"
                writer.write(out.encode() + b"\r\n" + data)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, ValueError):
            pass
        finally:
            writer.close()


async def main_async(package: str, port: int, log: str | None) -> None:
    mock = Mock(package, log)
    server = await asyncio.start_server(mock.serve, "127.0.0.1", port, limit=64 * 1024 * 1024)
    print("ready", server.sockets[0].getsockname()[1], len(mock.routes), len(mock.unread), flush=True)
    for where in mock.unread:
        print("unread", where, file=sys.stderr)
    async with server:
        # exit with the parent: its end of this pipe closes
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.buffer.read)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("package", choices=["openai", "anthropic"])
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--log")
    options = parser.parse_args()
    asyncio.run(main_async(options.package, options.port, options.log))
