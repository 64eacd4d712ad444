/** A module hook: `pawl`, as its users import it, is the sources. */
const names = {
  pawl: new URL('../../lib/index.ts', import.meta.url).href,
  'pawl/dev-server': new URL('../../lib/dev-server/index.ts', import.meta.url)
    .href,
}

export function resolve(specifier, context, next) {
  return next(names[specifier] ?? specifier, context)
}
