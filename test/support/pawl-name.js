/**
 * A module hook: `pawl`, as its users import it, is the sources. What is compiled
 * already is in a package of that name, see `compiled.js`.
 */
const names = {
  pawl: new URL('../../lib/index.ts', import.meta.url).href,
  'pawl/dev-server': new URL('../../lib/dev-server/index.ts', import.meta.url)
    .href,
  'pawl/bullmq': new URL('../../lib/fleet/index.ts', import.meta.url).href,
  'pawl/shared': new URL('../../lib/shared/index.ts', import.meta.url).href,
  'pawl/redis': new URL('../../lib/lease/redis.ts', import.meta.url).href,
  'pawl/postgres': new URL('../../lib/lease/postgres.ts', import.meta.url).href,
  'pawl/testing': new URL('../../lib/testing/index.ts', import.meta.url).href,
}

export function resolve(specifier, context, next) {
  const isSource = context.parentURL?.endsWith('.ts') === true
  return next((isSource ? names[specifier] : undefined) ?? specifier, context)
}
