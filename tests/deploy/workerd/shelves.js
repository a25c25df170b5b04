// What workerd asks for the Cache API (GET only-if-cached, PUT of a whole HTTP message, PURGE) and for KV (GET, PUT), in memory.
const kept = new Map();

export default {
  async fetch(request) {
    const url = new URL(request.url);
    const key = url.host + url.pathname;
    const metadata = request.headers.get("cf-kv-metadata");
    if (request.method === "PUT" && (metadata || url.searchParams.has("expiration_ttl"))) {
      kept.set(key, { body: await request.arrayBuffer(), headers: { "cf-kv-metadata": metadata } });
      return new Response(null, { status: 204 });
    }
    if (request.method === "PUT") {
      kept.set(key, message(new Uint8Array(await request.arrayBuffer())));
      return new Response(null, { status: 204 });
    }
    if (request.method === "PURGE") return new Response(null, { status: kept.delete(key) ? 200 : 404 });
    const entry = kept.get(key);
    if (!entry || (entry.until ?? Infinity) <= Date.now()) {
      const cache = request.headers.get("cache-control") === "only-if-cached";
      return new Response(null, { status: cache ? 504 : 404, headers: { "cf-cache-status": "MISS" } });
    }
    return new Response(entry.body, { headers: { ...entry.headers, "cf-cache-status": "HIT" } });
  },
};

function message(bytes) {
  const text = new TextDecoder("latin1").decode(bytes);
  const end = text.indexOf("\r\n\r\n");
  const lines = text.slice(0, end).split("\r\n").slice(1);
  const headers = Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf(":")).toLowerCase(), line.slice(line.indexOf(":") + 1).trim()]));
  delete headers["transfer-encoding"];
  delete headers["content-length"];
  const age = Number(/max-age=(\d+)/.exec(headers["cache-control"] ?? "")?.[1] ?? 0);
  return { body: bytes.slice(end + 4), headers, until: Date.now() + age * 1000 };
}
