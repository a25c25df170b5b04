"""A PoP of your own on CloudFront: one Lambda@Edge function for three events of a request.

`viewer-request`, at the PoP: checks the token; a request without a good one goes no further. `origin-request`, on the way to
the provider: routes it and puts in the provider's key. `origin-response`, on the way back: says what the cache did, and takes
out what is not about this PoP. None of them sees a body, so bodies of any size pass, and answers stream.
"""

import hashlib
import hmac
import json
import os
import re

# Lambda@Edge has no environment variables of one's own; this file goes with the code.
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "settings.json"), encoding="utf-8") as file:
    SETTINGS = json.load(file)

CALLER = (
    "edge-caller"  # the token's name, part of CloudFront's cache key (template.json); a client's own is written over
)
WHERE = "edge-token-in"  # the header in which the token came: Anthropic takes its key in either, so it goes there, too
FRESH = "edge-fresh"  # part of the key too: a value that no other request has makes a miss
KEYS = {
    "openai": "openai-key",
    "anthropic": "anthropic-key",
}  # custom headers of the distribution's origin: the providers' keys
# What belongs to the client or to this hop; the provider gets its own key and nothing of the client's account.
NOT_FORWARDED = re.compile(
    r"authorization|x-api-key|api-key|cookie|cache-control|pragma|openai-organization|openai-project|x-forwarded-for|edge-.*|cloudfront-.*"
)
# Of the provider's own network, or of that moment.
NOT_PASSED_BACK = ("cf-ray", "cf-cache-status", "alt-svc", "set-cookie", "server-timing")


def handler(event, context):
    """What CloudFront calls."""
    cf = event["Records"][0]["cf"]
    kind = cf["config"]["eventType"]
    if kind == "viewer-request":
        return viewer_request(cf["request"], cf["config"]["requestId"])
    if kind == "origin-request":
        return origin_request(cf["request"])
    return origin_response(cf["request"], cf["response"])


def viewer_request(request, request_id):
    headers, path = request["headers"], request["uri"]
    if path == "/healthz":
        good = bool(SETTINGS["tokens"])
        return answer(200 if good else 503, {"status": "ok" if good else "no tokens: name some in settings.json"})
    caller = caller_of(headers)
    if caller is None:
        refused = refusal(request, 401, "authentication_error", "this PoP does not know your token")
        refused["headers"]["www-authenticate"] = one("WWW-Authenticate", 'Bearer realm="edge-pop"')
        return refused
    if not path.startswith("/v1/"):
        return refusal(request, 404, "not_found_error", "calls begin with /v1/")
    where = "authorization" if "authorization" in headers else "x-api-key"
    for name in ("authorization", "x-api-key", "api-key", "cookie", CALLER, FRESH):
        headers.pop(name, None)
    headers[CALLER] = one(CALLER, caller)
    headers[WHERE] = one(WHERE, where)
    if re.search(r"no-cache|no-store|max-age", value_of(headers, "cache-control").lower()):
        headers[FRESH] = one(FRESH, request_id)  # CloudFront does not mind what a request says of caching
    return request


def origin_request(request):
    anthropic = is_anthropic(request)
    custom = request["origin"]["custom"]
    keys = {api: value_of(custom["customHeaders"], name) for api, name in KEYS.items()}
    api = "anthropic" if anthropic else "openai"
    if not keys[api]:
        return refusal(
            request, 501, "api_error", f"this PoP has no key for that API: deploy it with {api.upper()}_API_KEY"
        )
    for name in KEYS.values():
        custom["customHeaders"].pop(name, None)
    headers = {name: lines for name, lines in request["headers"].items() if not NOT_FORWARDED.fullmatch(name)}
    if anthropic and value_of(request["headers"], WHERE) == "x-api-key":
        headers["x-api-key"] = one("X-Api-Key", keys[api])
    else:
        headers["authorization"] = one("Authorization", f"Bearer {keys[api]}")
    origin = SETTINGS[f"{api}_origin"]
    scheme, _, host = origin.partition("://")
    name, _, port = host.partition(":")
    custom.update(domainName=name, protocol=scheme, port=int(port or (443 if scheme == "https" else 80)))
    headers["host"] = one("Host", host)
    request["headers"] = headers
    return request


def origin_response(request, response):
    headers = response["headers"]
    for name in NOT_PASSED_BACK:
        headers.pop(name, None)
    # A GET may come from the cache again, with these same headers: of it, CloudFront's own X-Cache tells.
    if request["method"] not in ("GET", "HEAD"):
        headers["cache-status"] = one("Cache-Status", "edge-pop; fwd=method")
    elif response["status"] != "200":
        headers["cache-control"] = one("Cache-Control", "no-store")
    return response


# -- who asks


def caller_of(headers):
    """The name whose token a request has, or None."""
    bearer = re.fullmatch(r"(?i:bearer) +(\S+)", value_of(headers, "authorization"))
    token = bearer[1] if bearer else value_of(headers, "x-api-key")
    given = hashlib.sha256(token.encode()).hexdigest()
    found = None
    for name, digests in SETTINGS["tokens"].items():
        for digest in digests:
            if token and hmac.compare_digest(given, digest.lower()):
                found = name
    return found


# -- CloudFront's way to write headers and answers


def one(name, value):
    return [{"key": name, "value": value}]


def value_of(headers, name):
    return ", ".join(line["value"] for line in headers.get(name, ()))


def is_anthropic(request):
    return request["uri"].startswith("/v1/messages") or "anthropic-version" in request["headers"]


def answer(status, body):
    headers = {
        "content-type": one("Content-Type", "application/json"),
        "cache-control": one("Cache-Control", "no-store"),
    }
    return {"status": str(status), "headers": headers, "body": json.dumps(body)}


def refusal(request, status, kind, message):
    """A refusal in the words of the API that was called."""
    if is_anthropic(request):
        return answer(status, {"type": "error", "error": {"type": kind, "message": message}})
    return answer(status, {"error": {"message": message, "type": kind, "param": None, "code": None}})
