import { invalidArgument } from './api-error.js'

/**
 * Text of a query as the value of a header: one character for each byte of its
 * UTF-8, which is how headers come off the wire. What no header can hold is
 * refused, since it would break the answer that repeats it.
 */
export function headerText(name: string, value: string): string {
  // oxlint-disable-next-line no-control-regex
  if (/[\u0000-\u0008\u000a-\u001f\u007f]/.test(value)) {
    invalidArgument(name, value, 'Header value cannot be represented.')
  }
  return Buffer.from(value).toString('latin1')
}
