// Stands in for Fastly's modules, with what @fastly/js-compute 3.46 declares in types/*.d.ts.
const here = JSON.parse(process.env.COMPUTE);
const shelf = (globalThis.coreCache ??= new Map());

export const env = (name) => ({ FASTLY_POP: here.pop, FASTLY_HOSTNAME: "localhost" })[name];

export class CacheOverride {
  constructor(mode) {
    if (!["none", "pass", "override"].includes(mode)) throw new TypeError("CacheOverride constructor: 'mode' has to be a mode");
    this.mode = mode;
  }
}

class Store {
  constructor(name) {
    if (!this.linked().includes(name)) throw new TypeError(`store: no store named '${name}' exists`);
  }
}

export class ConfigStore extends Store {
  get(name) {
    return process.env[name] ?? null;
  }
}
ConfigStore.prototype.linked = () => here.config_stores;

export class SecretStore extends Store {
  async get(name) {
    const value = process.env[name];
    return value === undefined ? null : { plaintext: () => value, rawBytes: () => new TextEncoder().encode(value) };
  }
}
SecretStore.prototype.linked = () => here.secret_stores;

function checked(key) {
  if (typeof key !== "string" || !key || key.length > 8135) throw new TypeError("CoreCache: key is empty or too long");
  return key;
}

export class CoreCache {
  static lookup(key) {
    const kept = shelf.get(checked(key));
    if (!kept || Date.now() - kept.at >= kept.options.maxAge) return null;
    let streams = false;
    return {
      state: () => ({ found: () => true, usable: () => true, stale: () => false, mustInsertOrUpdate: () => false }),
      userMetadata: () => new TextEncoder().encode(kept.options.userMetadata ?? "").buffer,
      age: () => Date.now() - kept.at,
      maxAge: () => kept.options.maxAge,
      length: () => kept.bytes.byteLength,
      close: () => {},
      body() {
        if (streams) throw new TypeError("CacheEntry: a stream is already active");
        streams = true;
        return new Blob([kept.bytes]).stream();
      },
    };
  }

  static insert(key, options) {
    checked(key);
    if (!(options.maxAge >= 0)) throw new TypeError("CoreCache.insert: maxAge is required");
    for (const name of options.surrogateKeys ?? []) if (!/^[\x21-\x7e]+$/.test(name)) throw new TypeError(`no surrogate key: ${name}`);
    const pieces = [];
    return {
      append(data) {
        if (data instanceof ReadableStream) throw new TypeError("FastlyBody.append: a guest-backed stream is not supported");
        pieces.push(data);
      },
      close() {
        const bytes = Buffer.concat(pieces.map((piece) => Buffer.from(piece)));
        if (options.length !== undefined && options.length !== bytes.byteLength) throw new Error("the length is not what was said");
        shelf.set(key, { at: Date.now(), options, bytes });
      },
      abandon() {},
    };
  }
}
