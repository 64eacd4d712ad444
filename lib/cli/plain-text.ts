/**
 * Names and messages as they may be shown. A key in a bucket, a name in a
 * directory and a log on disk are written by others: an escape sequence in them
 * must not reach the terminal, and a line end must not make a second line.
 */

/** Control characters become `\x1b` and the like; everything else stays. */
export function plainText(text: string): string {
  // oxlint-disable-next-line no-control-regex
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, (it) => {
    const code = it.charCodeAt(0).toString(16)
    return code.length > 2 ? `\\u${code}` : `\\x${code.padStart(2, '0')}`
  })
}
