// A PoP of your own on Cloudflare Workers: checks the token, answers what it has, passes the rest on as it streams.
// No build step: this file is the whole Worker. What it reads from wrangler.toml and from secrets is in README.md.

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
  /^(authorization|x-api-key|api-key|cookie|host|connection|content-length|accept-encoding|cache-control|pragma|openai-organization|openai-project|x-real-ip|x-forwarded-.*|cf-.*|edge-.*)$/;
// Said by the provider's own network, not about this PoP. (Its rate limits pass, but are never kept.)
const NOT_PASSED_BACK = ["cf-ray", "cf-cache-status", "alt-svc", "set-cookie", "server-timing"];
const LARGEST_QUESTION = 1 << 20; // bytes; a larger one is passed on, and its answer is not kept
const LARGEST_ANSWER = 8 << 20;

export default {
  async fetch(request, env, ctx) {
    const pop = request.cf?.colo ?? env.POP ?? "";
    const path = new URL(request.url).pathname;
    const anthropic = path.startsWith("/v1/messages") || request.headers.has("anthropic-version");
    let response;
    try {
      response = await answer(request, env, ctx, path, anthropic);
    } catch (error) {
      console.error(error);
      response = refusal(anthropic, 502, "api_error", `the PoP could not reach the provider: ${error.message}`);
    }
    if (pop) response.headers.set("edge-pop", pop);
    return response;
  },
};

async function answer(request, env, ctx, path, anthropic) {
  const began = Date.now();
  const tokens = tokensOf(env.EDGE_TOKENS);
  if (path === "/healthz") return health(tokens);
  if (!tokens.length) {
    return refusal(anthropic, 503, "api_error", "this PoP has no tokens: run `npx wrangler secret put EDGE_TOKENS`");
  }
  const scope = await scopeOf(request, tokens);
  if (scope === null) {
    return refusal(anthropic, 401, "authentication_error", "this PoP does not know your token", {
      "www-authenticate": 'Bearer realm="edge-pop"',
    });
  }
  if (!path.startsWith("/v1/")) return refusal(anthropic, 404, "not_found_error", `there is no ${path} here; calls begin with /v1/`);

  const question = await questionOf(request, env, scope, path);
  if (question.lookup) {
    const entry = await find(question, env, ctx).catch((error) => console.error(error)); // a cache that fails is a miss
    if (entry && entry.age <= question.maxAge) return fromCache(entry, question, began);
    if (entry) question.why = "request"; // RFC 9211: there is an answer, but the request does not want one so old
  }
  return forward(request, env, ctx, question, anthropic, began);
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
    if (crypto.subtle.timingSafeEqual(given, await digest(token))) found = name;
  }
  return found;
}

const digest = (text) => crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));

// -- what is asked

// The body if it was read, the key of the answer, and what the request says about caching.
async function questionOf(request, env, scope, path) {
  const says = wordsOf(request.headers.get("cache-control"));
  const ttl = Number(env.CACHE_TTL_S ?? 3600);
  const small = Number(request.headers.get("content-length") ?? Infinity) <= LARGEST_QUESTION;
  const question = { path, body: request.body, lookup: false, store: false, why: "bypass", maxAge: Infinity, ttl };
  if (request.method !== "POST") return { ...question, why: "method" };
  if (!(path in CACHED) || !small || !(ttl > 0)) return question;
  question.body = await request.arrayBuffer();
  if (says.has("no-store") || keepsState(question.body)) return question;
  question.store = true;
  const maxAge = says.get("max-age") ?? "";
  if (/^\d+$/.test(maxAge)) question.maxAge = Number(maxAge);
  question.lookup = !says.has("no-cache") && question.maxAge > 0;
  question.why = question.lookup ? "miss" : "request";
  question.key = await keyOf(request, env, scope, question.body);
  question.at = new URL(`/.edge-cache/${question.key}`, request.url).href;
  return question;
}

function wordsOf(text) {
  const words = (text ?? "").toLowerCase().split(",");
  return new Map(words.map((word) => word.split("=").map((part) => part.trim())).map(([name, value]) => [name, value ?? ""]));
}

// A call that the provider files under its id ("store": true) cannot be answered from a cache.
const keepsState = (body) => /"store"\s*:\s*true/.test(new TextDecoder().decode(body));

async function keyOf(request, env, scope, body) {
  const { pathname, search } = new URL(request.url);
  const vary = CHANGES_THE_ANSWER.map((name) => request.headers.get(name) ?? "");
  const head = JSON.stringify([env.CACHE_EPOCH ?? "1", scope, request.method, pathname, search, ...vary]) + "\n";
  const whole = new Uint8Array(await new Blob([head, body]).arrayBuffer());
  return [...new Uint8Array(await crypto.subtle.digest("SHA-256", whole))].map((b) => b.toString(16).padStart(2, "0")).join("");
}

// -- what is kept: in this data centre's cache, and in KV (all data centres) where it is bound as EDGE_KV

async function find(question, env, ctx) {
  const near = await caches.default.match(question.at);
  if (near) return entryOf(near.headers, near.body);
  if (!env.EDGE_KV) return null;
  const { value, metadata } = await env.EDGE_KV.getWithMetadata(question.key, "arrayBuffer");
  if (!value || !metadata) return null;
  const headers = new Headers(metadata);
  const entry = entryOf(headers, value);
  if (entry.age < question.ttl) ctx.waitUntil(caches.default.put(question.at, kept(headers, value, Math.ceil(question.ttl - entry.age))));
  return entry.age < question.ttl ? entry : null;
}

const entryOf = (headers, body) => ({ headers, body, age: Math.max(0, (Date.now() - Number(headers.get("edge-stored"))) / 1000) });

function kept(headers, body, ttl) {
  const said = new Headers(headers);
  said.set("cache-control", `max-age=${ttl}`);
  return new Response(body, { headers: said });
}

async function keep(question, answered, body, env) {
  const headers = new Headers({ "edge-stored": String(Date.now()) });
  for (const name of KEPT_OF_AN_ANSWER) if (answered.has(name)) headers.set(name, answered.get(name));
  await caches.default.put(question.at, kept(headers, body, question.ttl));
  if (env.EDGE_KV) {
    const ttl = Math.max(60, question.ttl); // KV keeps nothing for less; the age is checked when it is read
    await env.EDGE_KV.put(question.key, body, { expirationTtl: ttl, metadata: Object.fromEntries(headers) });
  }
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

async function forward(request, env, ctx, question, anthropic, began) {
  const secret = anthropic ? "ANTHROPIC_API_KEY" : "OPENAI_API_KEY";
  if (!env[secret]) {
    return refusal(anthropic, 501, "api_error", `this PoP has no key for that API: run \`npx wrangler secret put ${secret}\``);
  }
  const { pathname, search } = new URL(request.url);
  const origin = anthropic ? (env.ANTHROPIC_ORIGIN ?? "https://api.anthropic.com") : (env.OPENAI_ORIGIN ?? "https://api.openai.com");
  const headers = new Headers([...request.headers].filter(([name]) => !NOT_FORWARDED.test(name)));
  // Anthropic takes its key in either header: it goes where the SDK has put the token.
  const inBearer = !anthropic || request.headers.has("authorization");
  headers.set(...(inBearer ? ["authorization", `Bearer ${env[secret]}`] : ["x-api-key", env[secret]]));
  headers.set("accept-encoding", "identity");
  const asked = Date.now();
  const came = await fetch(origin.replace(/\/+$/, "") + pathname + search, { method: request.method, headers, body: question.body, redirect: "manual" });

  const answered = new Headers(came.headers);
  for (const name of NOT_PASSED_BACK) answered.delete(name);
  const streams = (came.headers.get("content-type") ?? "").startsWith("text/event-stream");
  const keepable = question.store && came.status === 200;
  let body = came.body;
  let stored = false;
  if (keepable && streams && CACHED[question.path]) {
    const [now, copy] = came.body.tee();
    body = now;
    ctx.waitUntil(keepStream(question, came.headers, copy, env));
  } else if (keepable && !streams) {
    body = await came.arrayBuffer(); // throws when it was cut
    stored = body.byteLength <= LARGEST_ANSWER && isJson(body);
    if (stored) ctx.waitUntil(keep(question, came.headers, body, env).catch((error) => console.error(error)));
    answered.delete("content-encoding"); // it has been read, so it is plain now
    answered.delete("content-length");
  }
  const key = question.key ? `; key="${question.key}"` : "";
  answered.append("cache-status", `edge-pop; fwd=${question.why}${stored ? "; stored" : ""}${key}`);
  answered.append("server-timing", `pop;dur=${asked - began}, origin;dur=${Date.now() - asked}`);
  return new Response(body, { status: came.status, headers: answered });
}

// Keeps a stream once it has ended as a complete one does. A cut one throws here, and one that failed lacks the end.
async function keepStream(question, answered, stream, env) {
  const pieces = [];
  let size = 0;
  try {
    for await (const piece of stream) {
      size += piece.byteLength;
      if (size > LARGEST_ANSWER) return;
      pieces.push(piece);
    }
    const text = await new Blob(pieces).text();
    if (CACHED[question.path].test(text) && !/(^|\n)event: ?error/.test(text)) {
      await keep(question, answered, new TextEncoder().encode(text), env);
    }
  } catch (error) {
    console.error(error);
  }
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
