/**
 * Names and messages as they may be shown. A key in a bucket, a name in a
 * directory and a log on disk are written by others: an escape sequence in them
 * must not reach the terminal, a line end must not make a second line, and what turns
 * the direction of writing must not make one name look like another.
 */

const controls =
  // oxlint-disable-next-line no-control-regex
  /[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g

/** Characters that control what is shown become `\x1b` and the like; all else stays. */
export function plainText(text: string): string {
  return text.replaceAll(controls, (it) => {
    const code = it.charCodeAt(0).toString(16)
    return code.length > 2 ? `\\u${code}` : `\\x${code.padStart(2, '0')}`
  })
}
