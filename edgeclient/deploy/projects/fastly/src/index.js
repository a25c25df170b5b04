/// <reference types="@fastly/js-compute" />
// A PoP of your own on Fastly Compute: how `pop.js`, which is what it does, keeps, reads and asks here.
// What it reads from the config store and from the secret store is in README.md.
import { CoreCache } from "fastly:cache";
import { CacheOverride } from "fastly:cache-override";
import { ConfigStore } from "fastly:config-store";
import { env } from "fastly:env";
import { SecretStore } from "fastly:secret-store";
import { keptOf, serve } from "./pop.js";

const SETTINGS = "edge_pop_settings";
const SECRETS = "edge_pop_secrets";
const SECRET = ["EDGE_TOKENS", "OPENAI_API_KEY", "ANTHROPIC_API_KEY"];

addEventListener("fetch", (event) => {
  event.waitUntil(Promise.resolve()); // the first one has to be said now; further ones may come until the answer has gone
  event.respondWith(
    serve(event.request, {
      pop: env("FASTLY_POP") ?? "",
      given,
      toGive: (name) => `npx fastly secret-store-entry create --name ${name} --store-id ...`,
      find,
      keep,
      fetch: (url, init, provider) =>
        fetch(url, { ...init, backend: provider, cacheOverride: new CacheOverride("pass"), fastly: { decompressGzip: true } }),
      beside: (promise) => event.waitUntil(promise),
    }),
  );
});

async function given(name) {
  try {
    if (!SECRET.includes(name)) return new ConfigStore(SETTINGS).get(name) ?? undefined;
    return (await new SecretStore(SECRETS).get(name))?.plaintext().trim();
  } catch (error) {
    console.error(error); // a store that is not linked to the service
    return undefined;
  }
}

// -- what is kept: in the cache of this PoP

async function find(question) {
  const entry = CoreCache.lookup(question.key);
  if (!entry?.state().usable()) return null;
  const headers = new Headers(JSON.parse(new TextDecoder().decode(entry.userMetadata())));
  return { headers, age: entry.age() / 1000, get body() { return entry.body(); } };
}

async function keep(question, answered, body) {
  const kept = CoreCache.insert(question.key, {
    maxAge: question.ttl * 1000,
    length: body.byteLength,
    userMetadata: JSON.stringify(keptOf(answered)),
    surrogateKeys: ["edge-pop", `edge-pop-${question.scope}`], // by which it can be purged, at all PoPs
  });
  kept.append(body);
  kept.close();
}
