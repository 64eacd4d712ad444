/** Callback options as the two headers that OSS takes. */
import { invalidOption } from '../../errors.js'
import type { CallbackOptions } from '../object-store.js'

const maxBytes = 5 * 1024

/** Throws `PAWL_INVALID_OPTION` for what OSS would refuse. */
export function callbackHeaders(
  callback: CallbackOptions,
): Record<string, string> {
  const urls =
    typeof callback.url === 'string' ? [callback.url] : [...callback.url]
  if (urls.length < 1 || urls.length > 5 || !urls.every(isUrl)) {
    invalidOption('object.callback.url: expected one to five http(s) URLs.')
  }
  if (typeof callback.body !== 'string' || callback.body === '') {
    invalidOption('object.callback.body: expected a string.')
  }
  const headers: Record<string, string> = {
    'x-oss-callback': encode(
      {
        callbackUrl: urls.join(';'),
        callbackBody: callback.body,
        callbackBodyType: callback.bodyType,
        callbackHost: callback.host,
        callbackSNI: callback.sni,
      },
      'object.callback',
    ),
  }
  const variables = Object.entries(callback.variables ?? {})
  if (variables.length === 0) return headers
  for (const [name] of variables) {
    if (!/^[a-z0-9_.-]+$/.test(name)) {
      invalidOption(
        'object.callback.variables: names are lower case and without x:.',
      )
    }
  }
  headers['x-oss-callback-var'] = encode(
    Object.fromEntries(variables.map(([name, value]) => [`x:${name}`, value])),
    'object.callback.variables',
  )
  return headers
}

function isUrl(url: unknown): boolean {
  return typeof url === 'string' && /^https?:\/\/[^;\s]+$/i.test(url)
}

function encode(value: object, option: string): string {
  const encoded = Buffer.from(JSON.stringify(value)).toString('base64')
  if (encoded.length > maxBytes) {
    invalidOption(`${option}: longer than ${maxBytes} bytes once encoded.`)
  }
  return encoded
}
