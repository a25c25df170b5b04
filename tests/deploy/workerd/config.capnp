# Two data centres, BOM and FRA, each with its own cache; one KV namespace for both. `front.js` is what Cloudflare has in front
# of a Worker, `shelves.js` what it has behind the Cache API and KV. Ports are given by the system, values by the environment.
using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "front-bom", worker = .frontBom), (name = "front-fra", worker = .frontFra), (name = "front-lone", worker = .frontLone),
    (name = "bom", worker = .bom), (name = "fra", worker = .fra), (name = "lone", worker = .lone),
    (name = "cache-bom", worker = .shelves), (name = "cache-fra", worker = .otherShelves), (name = "kv", worker = .kv),
    (name = "internet", network = (allow = ["private", "local", "public"])),
  ],
  sockets = [
    (name = "BOM", address = "127.0.0.1:0", http = (), service = "front-bom"),
    (name = "FRA", address = "127.0.0.1:0", http = (), service = "front-fra"),
    (name = "LONE", address = "127.0.0.1:0", http = (), service = "front-lone"),
  ],
);

const frontBom :Workerd.Worker = (
  modules = [(name = "front.js", esModule = embed "front.js")], compatibilityDate = "2026-10-01",
  bindings = [(name = "COLO", text = "BOM"), (name = "WORKER", service = "bom")],
);
const frontFra :Workerd.Worker = (
  modules = [(name = "front.js", esModule = embed "front.js")], compatibilityDate = "2026-10-01",
  bindings = [(name = "COLO", text = "FRA"), (name = "WORKER", service = "fra")],
);
# A Worker to which nothing was given but its code.
const frontLone :Workerd.Worker = (
  modules = [(name = "front.js", esModule = embed "front.js")], compatibilityDate = "2026-10-01",
  bindings = [(name = "COLO", text = "BOM"), (name = "WORKER", service = "lone")],
);

const bom :Workerd.Worker = (
  modules = [(name = "worker.js", esModule = embed "worker.js"), (name = "pop.js", esModule = embed "pop.js")],
  compatibilityDate = "2026-10-01",
  bindings = .given, cacheApiOutbound = "cache-bom",
);
const fra :Workerd.Worker = (
  modules = [(name = "worker.js", esModule = embed "worker.js"), (name = "pop.js", esModule = embed "pop.js")],
  compatibilityDate = "2026-10-01",
  bindings = .given, cacheApiOutbound = "cache-fra",
);
const lone :Workerd.Worker = (
  modules = [(name = "worker.js", esModule = embed "worker.js"), (name = "pop.js", esModule = embed "pop.js")],
  compatibilityDate = "2026-10-01",
);
const given :List(Workerd.Worker.Binding) = [
  (name = "EDGE_TOKENS", fromEnvironment = "EDGE_TOKENS"),
  (name = "OPENAI_API_KEY", fromEnvironment = "OPENAI_API_KEY"),
  (name = "ANTHROPIC_API_KEY", fromEnvironment = "ANTHROPIC_API_KEY"),
  (name = "OPENAI_ORIGIN", fromEnvironment = "OPENAI_ORIGIN"),
  (name = "ANTHROPIC_ORIGIN", fromEnvironment = "ANTHROPIC_ORIGIN"),
  (name = "CACHE_TTL_S", fromEnvironment = "CACHE_TTL_S"),
  (name = "CACHE_EPOCH", fromEnvironment = "CACHE_EPOCH"),
  (name = "EDGE_KV", kvNamespace = "kv"),
];

const shelves :Workerd.Worker = (
  modules = [(name = "shelves.js", esModule = embed "shelves.js")], compatibilityDate = "2026-10-01",
);
const otherShelves :Workerd.Worker = (
  modules = [(name = "shelves.js", esModule = embed "shelves.js")], compatibilityDate = "2026-10-01",
);
const kv :Workerd.Worker = (
  modules = [(name = "shelves.js", esModule = embed "shelves.js")], compatibilityDate = "2026-10-01",
);
