/**
 * A module hook: `pawl`, as its users import it, is the sources. What is compiled
 * already is in a package of that name, see `compiled.js`.
 */
import { entries } from './entries.js'

const names = new Map(
  [...entries].map(([name, path]) => [
    name,
    new URL(`../../lib/${path}.ts`, import.meta.url).href,
  ]),
)

export function resolve(specifier, context, next) {
  const isSource = context.parentURL?.endsWith('.ts') === true
  return next(
    (isSource ? names.get(specifier) : undefined) ?? specifier,
    context,
  )
}
