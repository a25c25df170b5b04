"""Step 1 of a call: what is asked, which way it goes, and whether the cache may answer. Pure."""

from __future__ import annotations

from .cache import controls
from .cache.key import LARGE, SHARED, credential_digest, exact_key
from .cache.policy import as_set, is_sampled, is_shared, object_of
from .dialects import arrays, aside_of, dialect_of
from .dialects.prompts import PROMPTS
from .dialects.texts import SCHEMAS
from .policies import Policies
from .routing import cascade
from .values import UNSAID, Call, Controls, Dialect, Json, Question, Request, Route

_OPENING = 1024  # bytes by which a conversation is told


def classify(request: Request, edge: Policies) -> Call:
    """The call that a request makes. Never raises on odd requests: what is not understood goes on as it is."""
    found, is_routed = _spoken(request, edge)
    body = object_of(request.body) if found is not None or edge.settings.aliases else None
    body, asked_model = _aliased(body, request, edge) if edge.settings.aliases else (body, "")
    if found is None or body is None:
        return _passed_on(request, body, asked_model, edge)
    retry, idempotent, says, way, serving = _words(request, edge)
    sdk, dialect = found
    own = _is_own(request, edge)
    model, streamed = str(body.get("model", "")), body.get("stream") is True
    live = streamed if request.live is None else request.live
    route = (way or edge.routes.of(model)) if own and edge.endpoints and is_routed else Route.DIRECT
    said = _said(request, edge) if says or edge.around is not None else UNSAID
    reason = "temperature" if edge.deterministic and is_sampled(dialect, body) else ""
    if edge.says_caching and not reason:
        said = as_set(said, model, route, edge.settings.cache)
    first_model = ""
    family: str | None = ""
    if edge.settings.cascade and own and not live and not streamed and way is None:
        first_model, family = _cascaded(model, dialect, body, edge)
    key: str = ""
    parts: tuple[str, ...] = ()
    if edge.store is not None and family is not None and (said.store or said.lookup) and not reason:
        family = f"{dialect.name}/{route._value_}{family}"
        key, parts = _keys(request, dialect, family, body, said, edge, live)
    question = None
    if edge.semantic is not None and key and family is not None and said.lookup and not said.named:
        question = _question(request, family, dialect, body, said, edge, serving or edge.semantic.serving)
    return Call(
        sdk=sdk,
        method=request.method,
        origin=request.origin,
        path=request.path,
        model=model,
        route=route,
        dialect=dialect,
        body=body,
        size=len(request.body),
        opening=hash(request.body[:_OPENING]) if len(request.body) > _OPENING else 0,
        streamed=streamed,
        live=live,
        key=key,
        parts=parts,
        controls=said,
        idempotent=idempotent or key != "",
        keeps_origin=not own or (route is Route.DIRECT and is_routed),
        retry=retry,
        residency=request.residency,
        provider=request.sdk if request.default_origin else "",
        asked_model=asked_model,
        first_model=first_model,
        question=question,
        reason=reason,
    )


def _spoken(request: Request, edge: Policies) -> tuple[tuple[str, Dialect] | None, bool]:
    """The SDK family and the dialect of a request, if it is one of ours; and whether endpoints may take it."""
    found, is_routed = dialect_of(request.method, request.path), True
    if found is None and edge.store is not None:
        found, is_routed = aside_of(request.method, request.path), False
    return (None if found is not None and request.sdk not in ("", found[0]) else found), is_routed


def _is_own(request: Request, edge: Policies) -> bool:
    """True for a call that the settings may send elsewhere."""
    return not request.fixed and (request.default_origin or request.origin in edge.origins)


def _passed_on(request: Request, body: Json | None, asked_model: str, edge: Policies) -> Call:
    """A call of no dialect (files, audio, batches …): it goes on as it is, but for an alias."""
    retry, _, says, *_ = _words(request, edge)
    return Call(
        sdk=request.sdk,
        method=request.method,
        origin=request.origin,
        path=request.path,
        model=str(body["model"]) if body is not None and asked_model else "",
        live=True if request.live is None else request.live,
        controls=_said(request, edge, cacheable=False) if says or edge.around is not None else UNSAID,
        keeps_origin=not _is_own(request, edge),
        retry=retry,
        provider=request.sdk if request.default_origin else "",
        asked_model=asked_model,
    )


def _keys(
    request: Request, dialect: Dialect, family: str, body: Json, said: Controls, edge: Policies, live: bool
) -> tuple[str, tuple[str, ...]]:
    """The key of a call and, where it asks several things at once, those of each; a list of one asks what that one does.

    A part has the key that it has alone, so that all are spelled in one way (that of large bodies), whatever their size.
    """
    if dialect.name != arrays.DIALECT:
        return _key(request, family, body, said, edge, len(request.body)), ()
    several = arrays.inputs(dialect, body)
    if len(several) == 1:
        body = arrays.asking(body, several[0])
    key = _key(request, family, body, said, edge)
    if not key or len(several) < 2 or live or said.named:
        return key, ()
    return key, tuple([_key(request, family, arrays.asking(body, one), said, edge) for one in several])


def _key(request: Request, family: str, body: Json, said: Controls, edge: Policies, size: int = LARGE) -> str:
    """The exact cache's key; "" where nobody can tell callers apart."""
    digest = credential_digest(request.headers)
    if not digest:
        return ""
    cache = edge.settings.cache
    namespace = said.namespace or cache.namespace
    if cache.shared and is_shared(namespace, cache):
        digest = SHARED
    return exact_key(
        credential=digest,
        method=request.method,
        origin=request.origin,
        path=request.path,
        query=request.query,
        family=family,
        headers=request.headers,
        body=body,
        scope=(namespace, said.named) if said.named else (namespace,) if namespace else (),
        size=size,
    )


def _question(
    request: Request, family: str, dialect: Dialect, body: Json, said: Controls, edge: Policies, serving: str
) -> Question | None:
    """What the semantic cache is asked; None where the last turn is not one text of the user's, or it is not wanted."""
    split = PROMPTS[dialect.name](body) if serving != "off" and dialect.name in PROMPTS else None
    if split is None:
        return None
    text, rest = split
    assert edge.semantic is not None
    partition = _key(request, f"{family}/{edge.semantic.fingerprint}", rest, said, edge)
    return Question(partition, text, serving, credential_digest(request.headers)[:16])


def _cascaded(model: str, dialect: Dialect, body: Json, edge: Policies) -> tuple[str, str | None]:
    """The small model that is asked first ("" for none), and what sets the answers apart in the cache; None: nothing can."""
    said = edge.settings.cascade.get(model)
    if said is None or dialect.name not in SCHEMAS:  # a response may be a state that its provider keeps
        return "", ""
    if not cascade.fits(said, body, dialect.name, SCHEMAS[dialect.name](body)):
        return "", ""
    return said.first, cascade.stamp(said) if cascade.is_lasting(said) else None


def _said(request: Request, edge: Policies, *, cacheable: bool = True) -> Controls:
    """What the caller says about caching. Where this cache is off, or never has the answer, those behind it are meant."""

    def note(name: str, why: str) -> None:
        if edge.store is not None or name != "Cache-Control":  # which is said to the API where there is no cache here
            edge.telemetry.mishap(name, ValueError(why))

    said = controls.read(request.headers, note)
    around = edge.around.get(UNSAID) if edge.around is not None else UNSAID
    if around is not UNSAID:
        said = controls.within(said, around)
    if not cacheable:
        return Controls(said.store, said.lookup, said.max_age_s)
    if edge.store is not None:
        return said
    return Controls(said.store, said.lookup, said.max_age_s, namespace=said.namespace, ttl_s=said.ttl_s)


def _aliased(body: Json | None, request: Request, edge: Policies) -> tuple[Json | None, str]:
    """The body with the model that an alias says, and the name that stood there; "" when no alias fits.

    Before anything else is decided: the route, the cache's key and what is sent follow the new name.
    """
    model = body.get("model") if body is not None else None
    instead = edge.settings.aliases.get(model) if isinstance(model, str) else None
    if body is None or instead is None:
        return body, ""
    if any(name == "authorization" and value.startswith("AWS4-") for name, value in request.headers):
        edge.telemetry.mishap("alias", ValueError(f"{model}: the request is signed, so its body may not change"))
        return body, ""
    return {**body, "model": instead}, str(model)


def _words(request: Request, edge: Policies) -> tuple[int, bool, bool, Route | None, str]:
    """Which retry of the SDK this is, whether there is an idempotency key or a word about caching, `Edge-Route` and
    `Edge-Semantic`."""
    retry, idempotent, says, way, serving = 0, False, False, None, ""
    for name, value in request.headers:
        if name == "x-stainless-retry-count":
            retry = int(value) if value.isdecimal() and len(value) < 4 else 0
        elif name == "idempotency-key":
            idempotent = True
        elif name == "cache-control":
            says = True
        elif name.startswith("edge-"):
            if name == "edge-route":
                way = _route(value, edge)
            elif name == "edge-semantic":
                serving = _serving(value, edge)
            says = says or name.startswith(controls.OWN)
    return retry, idempotent, says, way, serving


def _route(said: str, edge: Policies) -> Route | None:
    try:
        return Route(said.strip().lower())
    except ValueError:
        edge.telemetry.mishap("Edge-Route", ValueError(f"{said!r} is no route; say inference, gateway or direct"))
        return None


def _serving(said: str, edge: Policies) -> str:
    word = said.strip().lower()
    if word in ("off", "shadow", "serve"):
        return word
    edge.telemetry.mishap("Edge-Semantic", ValueError(f"{said!r} is no word for it; say off, shadow or serve"))
    return ""
