/** The content type of an object, where its caller gives none. */
import mime from 'mime'
import type { ObjectOptions } from '../../store/object-store.js'

/** That of the first name whose ending is known; a name is a path or a key. */
export function typeByName(...names: readonly string[]): string | undefined {
  for (const name of names) {
    const type = mime.getType(name)
    if (type !== null) return type
  }
  return undefined
}

/** The options with that type, unless they have one, as a header or by name. */
export function withContentType(
  object: ObjectOptions = {},
  contentType: string | undefined,
): ObjectOptions {
  const headers = Object.keys(object.headers ?? {})
  const isGiven =
    object.contentType !== undefined ||
    headers.some((name) => name.toLowerCase() === 'content-type')
  return isGiven || contentType === undefined
    ? object
    : { ...object, contentType }
}
