// What a PoP of your own does, wherever it runs: checks the token, answers what it has, passes the rest on as it streams.
// The file beside this one says how the place it runs at keeps answers, reads settings and reaches the providers:
//
//   place.pop                            the site's code, or ""
//   place.given(name)                    a setting or a secret (or a promise of it); undefined where it was not given
//   place.toGive(name)                   the vendor's command that gives it
//   place.find(question)                 what is kept: a promise of { headers, body, age } (seconds), or of null
//   place.keep(question, headers, body)  keeps bytes for question.ttl seconds; a promise
//   place.fetch(url, init, provider)     asks "openai" or "anthropic"
//   place.beside(promise)                lets it end after the answer has gone

// The calls whose answers may be kept, and how a complete stream of each ends.
const CACHED = {
  "/v1/chat/completions": /(^|\n)data: ?\[DONE\]\s*$/,
  "/v1/completions": /(^|\n)data: ?\[DONE\]\s*$/,
  "/v1/embeddings": null, // never streams
  "/v1/messages": /(^|\n)event: ?message_stop\r?\ndata:[^\n]*\s*$/,
};
const CHANGES_THE_ANSWER = ["content-type", "anthropic-version", "anthropic-beta", "openai-beta"];
const KEPT_OF_AN_ANSWER = ["content-type", "x-request-id", "request-id"]; // not its rate limits: they are of that moment
// What belongs to the caller or to this hop; the provider gets its own key and nothing of the client's account.
const NOT_FORWARDED =
  /^(authorization|x-api-key|api-key|cookie|host|connection|content-length|accept-encoding|cache-control|pragma|openai-organization|openai-project|x-real-ip|x-forwarded-.*|cf-.*|fastly-.*|edge-.*)$/;
// Said by the provider's own network, not about this PoP. (Its rate limits pass, but are never kept.)
const NOT_PASSED_BACK = ["cf-ray", "cf-cache-status", "alt-svc", "set-cookie", "server-timing"];
const LARGEST_QUESTION = 1 << 20; // bytes; a larger one is passed on, and its answer is not kept
const LARGEST_ANSWER = 8 << 20;

export async function serve(request, place) {
  const path = new URL(request.url).pathname;
  const anthropic = path.startsWith("/v1/messages") || request.headers.has("anthropic-version");
  let response;
  try {
    response = await answer(request, place, path, anthropic);
  } catch (error) {
    console.error(error);
    response = refusal(anthropic, 502, "api_error", `the PoP could not reach the provider: ${error.message}`);
  }
  if (place.pop) response.headers.set("edge-pop", place.pop);
  return response;
}

async function answer(request, place, path, anthropic) {
  const began = Date.now();
  const tokens = tokensOf(await place.given("EDGE_TOKENS"));
  if (path === "/healthz") return health(tokens);
  if (!tokens.length) {
    return refusal(anthropic, 503, "api_error", `this PoP has no tokens: run \`${place.toGive("EDGE_TOKENS")}\``);
  }
  const scope = await scopeOf(request, tokens);
  if (scope === null) {
    return refusal(anthropic, 401, "authentication_error", "this PoP does not know your token", {
      "www-authenticate": 'Bearer realm="edge-pop"',
    });
  }
  if (!path.startsWith("/v1/")) return refusal(anthropic, 404, "not_found_error", `there is no ${path} here; calls begin with /v1/`);

  const question = await questionOf(request, place, scope, path);
  if (question.lookup) {
    const entry = await place.find(question).catch((error) => console.error(error)); // a cache that fails is a miss
    if (entry && entry.age <= question.maxAge) return fromCache(entry, question, began);
    if (entry) question.why = "request"; // RFC 9211: there is an answer, but the request does not want one so old
  }
  return forward(request, place, question, anthropic, began);
}

function health(tokens) {
  const body = JSON.stringify(tokens.length ? { status: "ok" } : { status: "no tokens: set the secret EDGE_TOKENS" });
  const headers = { "content-type": "application/json", "cache-control": "no-store" };
  return new Response(body, { status: tokens.length ? 200 : 503, headers });
}

// -- who asks

// EDGE_TOKENS is "name=token name=token ...". A name may have two tokens: the old and the new one, while they change.
function tokensOf(text) {
  const pairs = (text ?? "").split(/[\s,]+/).map((pair) => [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)]);
  return pairs.filter(([name, token]) => name && token);
}

// The name whose token this is, or null. Digests are compared, so the time it takes tells nothing about a token.
async function scopeOf(request, tokens) {
  const bearer = /^bearer +(\S+)$/i.exec(request.headers.get("authorization") ?? "");
  const given = await digest(bearer ? bearer[1] : (request.headers.get("x-api-key") ?? ""));
  let found = null;
  for (const [name, token] of tokens) {
    if (same(given, await digest(token))) found = name;
  }
  return found;
}

const digest = async (text) => new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));

const same = (one, other) => one.reduce((differs, byte, n) => differs | (byte ^ other[n]), 0) === 0;

// -- what is asked

// The body if it was read, the key of the answer, and what the request says about caching.
async function questionOf(request, place, scope, path) {
  const says = wordsOf(request.headers.get("cache-control"));
  const ttl = Number((await place.given("CACHE_TTL_S")) ?? 3600);
  const small = Number(request.headers.get("content-length") ?? Infinity) <= LARGEST_QUESTION;
  const question = { path, scope, body: request.body, lookup: false, store: false, why: "bypass", maxAge: Infinity, ttl };
  if (request.method !== "POST") return { ...question, why: "method" };
  if (!(path in CACHED) || !small || !(ttl > 0)) return question;
  question.body = await request.arrayBuffer();
  if (says.has("no-store") || keepsState(question.body)) return question;
  question.store = true;
  const maxAge = says.get("max-age") ?? "";
  if (/^\d+$/.test(maxAge)) question.maxAge = Number(maxAge);
  question.lookup = !says.has("no-cache") && question.maxAge > 0;
  question.why = question.lookup ? "miss" : "request";
  question.key = await keyOf(request, await place.given("CACHE_EPOCH"), scope, question.body);
  return question;
}

function wordsOf(text) {
  const words = (text ?? "").toLowerCase().split(",");
  return new Map(words.map((word) => word.split("=").map((part) => part.trim())).map(([name, value]) => [name, value ?? ""]));
}

// A call that the provider files under its id ("store": true) cannot be answered from a cache.
const keepsState = (body) => /"store"\s*:\s*true/.test(new TextDecoder().decode(body));

async function keyOf(request, epoch, scope, body) {
  const { pathname, search } = new URL(request.url);
  const vary = CHANGES_THE_ANSWER.map((name) => request.headers.get(name) ?? "");
  const head = JSON.stringify([epoch ?? "1", scope, request.method, pathname, search, ...vary]) + "\n";
  const whole = joined([new TextEncoder().encode(head), new Uint8Array(body)]);
  return [...new Uint8Array(await crypto.subtle.digest("SHA-256", whole))].map((b) => b.toString(16).padStart(2, "0")).join("");
}

// -- what is kept

// The headers that a kept answer has.
export function keptOf(answered) {
  const headers = {};
  for (const name of KEPT_OF_AN_ANSWER) if (answered.has(name)) headers[name] = answered.get(name);
  return headers;
}

function fromCache(entry, question, began) {
  const headers = new Headers();
  for (const name of KEPT_OF_AN_ANSWER) if (entry.headers.has(name)) headers.set(name, entry.headers.get(name));
  headers.set("age", String(Math.floor(entry.age)));
  headers.set("cache-status", `edge-pop; hit; ttl=${Math.floor(question.ttl - entry.age)}; key="${question.key}"`);
  headers.set("server-timing", `pop;dur=${Date.now() - began}`);
  return new Response(entry.body, { headers });
}

// -- what is passed on

async function forward(request, place, question, anthropic, began) {
  const secret = anthropic ? "ANTHROPIC_API_KEY" : "OPENAI_API_KEY";
  const key = await place.given(secret);
  if (!key) {
    return refusal(anthropic, 501, "api_error", `this PoP has no key for that API: run \`${place.toGive(secret)}\``);
  }
  const { pathname, search } = new URL(request.url);
  const provider = anthropic ? "anthropic" : "openai";
  const origin = (await place.given(`${provider.toUpperCase()}_ORIGIN`)) ?? `https://api.${provider}.com`;
  const headers = new Headers([...request.headers].filter(([name]) => !NOT_FORWARDED.test(name)));
  // Anthropic takes its key in either header: it goes where the SDK has put the token.
  const inBearer = !anthropic || request.headers.has("authorization");
  headers.set(...(inBearer ? ["authorization", `Bearer ${key}`] : ["x-api-key", key]));
  headers.set("accept-encoding", "identity");
  const asked = Date.now();
  const init = { method: request.method, headers, body: question.body, redirect: "manual" };
  const came = await place.fetch(origin.replace(/\/+$/, "") + pathname + search, init, provider);

  const answered = new Headers(came.headers);
  for (const name of NOT_PASSED_BACK) answered.delete(name);
  const streams = (came.headers.get("content-type") ?? "").startsWith("text/event-stream");
  const keepable = question.store && came.status === 200;
  let body = came.body;
  let stored = false;
  if (keepable && streams && CACHED[question.path]) {
    const [now, copy] = came.body.tee();
    body = now;
    place.beside(keepStream(question, came.headers, copy, place));
  } else if (keepable && !streams) {
    body = await came.arrayBuffer(); // throws when it was cut
    stored = body.byteLength <= LARGEST_ANSWER && isJson(body);
    if (stored) place.beside(place.keep(question, came.headers, new Uint8Array(body)).catch((error) => console.error(error)));
    answered.delete("content-encoding"); // it has been read, so it is plain now
    answered.delete("content-length");
  }
  const named = question.key ? `; key="${question.key}"` : "";
  answered.append("cache-status", `edge-pop; fwd=${question.why}${stored ? "; stored" : ""}${named}`);
  answered.append("server-timing", `pop;dur=${asked - began}, origin;dur=${Date.now() - asked}`);
  return new Response(body, { status: came.status, headers: answered });
}

// Keeps a stream once it has ended as a complete one does. A cut one throws here, and one that failed lacks the end.
async function keepStream(question, answered, stream, place) {
  const reader = stream.getReader();
  const pieces = [];
  let size = 0;
  try {
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
      size += piece.value.byteLength;
      if (size > LARGEST_ANSWER) return await reader.cancel();
      pieces.push(piece.value);
    }
    const whole = joined(pieces);
    const text = new TextDecoder().decode(whole);
    if (CACHED[question.path].test(text) && !/(^|\n)event: ?error/.test(text)) await place.keep(question, answered, whole);
  } catch (error) {
    console.error(error);
  }
}

function joined(pieces) {
  const whole = new Uint8Array(pieces.reduce((size, piece) => size + piece.byteLength, 0));
  pieces.reduce((at, piece) => (whole.set(piece, at), at + piece.byteLength), 0);
  return whole;
}

function isJson(bytes) {
  try {
    JSON.parse(new TextDecoder().decode(bytes));
    return true;
  } catch {
    return false;
  }
}

// -- what is refused, in the words of the API that was called

function refusal(anthropic, status, type, message, headers = {}) {
  const body = anthropic ? { type: "error", error: { type, message } } : { error: { message, type, param: null, code: null } };
  return new Response(JSON.stringify(body), { status, headers: { "content-type": "application/json", ...headers } });
}
