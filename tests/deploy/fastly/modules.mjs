// Leads the imports of `fastly:*` to their stand-ins.
export async function resolve(specifier, context, next) {
  if (!specifier.startsWith("fastly:")) return next(specifier, context);
  return { url: new URL(`./stand_ins.mjs#${specifier.slice(7)}`, import.meta.url).href, shortCircuit: true, format: "module" };
}
