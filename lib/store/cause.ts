/** What may be kept of an error that somebody else made. */

/**
 * A plain copy with name, code and message. HTTP clients hang the request on
 * their errors, headers and body included, so theirs are never kept.
 */
export function reduceCause(error: unknown): Error {
  const reduced = new Error(text(error, 'message', 200) ?? 'unknown failure')
  const first = firstOf(error)
  define(reduced, 'name', text(error, 'name', 64) ?? 'Error')
  define(reduced, 'code', text(error, 'code', 64) ?? text(first, 'code', 64))
  return reduced
}

/** Name and code only: a credential provider's message may hold a secret. */
export function reduceToName(error: unknown): Error {
  const name = text(error, 'name', 64) ?? 'Error'
  const code = text(error, 'code', 64)
  const reduced = new Error(code === undefined ? name : `${name} ${code}`)
  define(reduced, 'name', name)
  define(reduced, 'code', code)
  return reduced
}

/** The `code` of an error, `ECONNRESET` and the like. */
export function codeOf(error: unknown): string | undefined {
  return text(error, 'code', 64) ?? text(firstOf(error), 'code', 64)
}

/** Happy eyeballs report several refused addresses as one AggregateError. */
function firstOf(error: unknown): unknown {
  if (typeof error !== 'object' || error === null) return undefined
  const errors: unknown = Reflect.get(error, 'errors')
  return Array.isArray(errors) ? errors[0] : undefined
}

function text(value: unknown, name: string, max: number): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const found: unknown = Reflect.get(value, name)
  if (typeof found !== 'string' || found === '') return undefined
  return found.slice(0, max)
}

function define(error: Error, name: string, value: string | undefined): void {
  if (value === undefined) return
  Object.defineProperty(error, name, { value, configurable: true })
}
