// A PoP of your own on Cloudflare Workers: how `pop.js`, which is what it does, keeps, reads and asks here. No build step.
// What it reads from wrangler.toml and from secrets is in README.md.
import { keptOf, serve } from "./pop.js";

export default {
  fetch(request, env, ctx) {
    const at = (question) => new URL(`/.edge-cache/${question.key}`, request.url).href;
    return serve(request, {
      pop: request.cf?.colo ?? env.POP ?? "",
      given: (name) => env[name],
      toGive: (name) => `npx wrangler secret put ${name}`,
      find: (question) => find(question, at(question), env, ctx),
      keep: (question, answered, body) => keep(question, at(question), answered, body, env),
      fetch: (url, init) => fetch(url, init),
      beside: (promise) => ctx.waitUntil(promise),
    });
  },
};

// -- what is kept: in this data centre's cache, and in KV (all data centres) where it is bound as EDGE_KV

async function find(question, at, env, ctx) {
  const near = await caches.default.match(at);
  if (near) return entryOf(near.headers, near.body);
  if (!env.EDGE_KV) return null;
  const { value, metadata } = await env.EDGE_KV.getWithMetadata(question.key, "arrayBuffer");
  if (!value || !metadata) return null;
  const headers = new Headers(metadata);
  const entry = entryOf(headers, value);
  if (entry.age < question.ttl) ctx.waitUntil(caches.default.put(at, kept(headers, value, Math.ceil(question.ttl - entry.age))));
  return entry.age < question.ttl ? entry : null;
}

const entryOf = (headers, body) => ({ headers, body, age: Math.max(0, (Date.now() - Number(headers.get("edge-stored"))) / 1000) });

function kept(headers, body, ttl) {
  const said = new Headers(headers);
  said.set("cache-control", `max-age=${ttl}`);
  return new Response(body, { headers: said });
}

async function keep(question, at, answered, body, env) {
  const headers = new Headers({ ...keptOf(answered), "edge-stored": String(Date.now()) });
  await caches.default.put(at, kept(headers, body, question.ttl));
  if (env.EDGE_KV) {
    const ttl = Math.max(60, question.ttl); // KV keeps nothing for less; the age is checked when it is read
    await env.EDGE_KV.put(question.key, body, { expirationTtl: ttl, metadata: Object.fromEntries(headers) });
  }
}
