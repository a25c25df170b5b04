// Emulates Fastly Compute in Node for one project: `node compute.mjs PROJECT`. Fastly's own local runtime (viceroy) is in no
// package that installs here. The project's code is as it is; the modules `fastly:*`, the cache behind them and the front
// are stand-ins, as strict as Fastly's types and pages say. Says its port as JSON on its standard output.
import { createServer } from "node:http";
import { register } from "node:module";
import { pathToFileURL } from "node:url";

const here = JSON.parse(process.env.COMPUTE); // { backends, pop }: what fastly.toml sets up, and where this is
let answer = null;

globalThis.addEventListener = (kind, listener) => {
  if (kind === "fetch") answer = listener;
};

const toInternet = globalThis.fetch;
globalThis.fetch = async (url, { backend, cacheOverride, fastly, ...init }) => {
  if (!here.backends.includes(backend)) throw new TypeError(`Requested backend named '${backend}' does not exist`);
  if (cacheOverride?.mode !== "pass") throw new TypeError("emulator: this would pass Fastly's HTTP cache");
  const came = await toInternet(url, { ...init, duplex: "half" });
  const headers = new Headers(came.headers);
  if (fastly?.decompressGzip) for (const name of ["content-encoding", "content-length"]) headers.delete(name);
  return new Response(came.body, { status: came.status, headers });
};

class FetchEvent {
  #early = true;
  #waits = false;

  constructor(request) {
    this.request = request;
    this.client = { address: "192.0.2.1" };
  }

  respondWith(response) {
    this.response = Promise.resolve(response);
  }

  waitUntil(promise) {
    if (!this.#early && !this.#waits) throw new Error("waitUntil: the first call has to be made within the event's callback");
    this.#waits = true;
    promise.catch((error) => console.error(error));
  }

  dispatch() {
    answer(this);
    this.#early = false;
    return this.response;
  }
}

async function serve(asked, said) {
  const headers = Object.entries(asked.headers).filter(([name]) => !["transfer-encoding", "connection", "expect"].includes(name));
  const body = ["GET", "HEAD"].includes(asked.method) ? null : asked;
  const request = new Request(`http://${asked.headers.host}${asked.url}`, { method: asked.method, headers, body, duplex: "half" });
  const response = await new FetchEvent(request).dispatch();
  said.writeHead(response.status, { ...Object.fromEntries(response.headers), "x-served-by": `cache-bom4723-${here.pop}` });
  const reader = response.body?.getReader();
  said.on("close", () => reader?.cancel().catch(() => {}));
  for (let piece = await reader?.read(); piece && !piece.done; piece = await reader.read()) said.write(piece.value);
  said.end();
}

register("./modules.mjs", import.meta.url);
await import(pathToFileURL(`${process.argv[2]}/src/index.js`));
const server = createServer((asked, said) => {
  serve(asked, said).catch((error) => {
    console.error(error);
    said.destroy(); // a stream that was cut is cut for the client, too
  });
});
server.listen(0, "127.0.0.1", () => console.log(JSON.stringify({ port: server.address().port })));
