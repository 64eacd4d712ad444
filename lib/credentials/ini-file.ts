/**
 * The files of profiles that the AWS and OSS tools write: sections, `key =
 * value`, whole lines of comment. Pure.
 *
 * Values are taken as they are written. Packages for INI files read quotes, `;`
 * and dots as a language of their own, and a secret or a command that holds one
 * of them would come out as another.
 */

/** Keys in lower case; those of a nested block are `block.key`. */
export type IniSection = ReadonlyMap<string, string>

/** By the text between the brackets, spaces made one. */
export type IniFile = ReadonlyMap<string, IniSection>

export function parseIni(text: string): IniFile {
  const file = new Map<string, Map<string, string>>()
  let section: Map<string, string> | undefined
  let block = ''
  for (const line of text.replace(/^\uFEFF/, '').split(/\r?\n/)) {
    if (/^\s*(?:[#;]|$)/.test(line)) continue
    const header = /^\s*\[([^\]]*)\]/.exec(line)?.[1]
    if (header !== undefined) {
      const name = header.trim().replaceAll(/\s+/g, ' ').replaceAll('"', '')
      section = file.get(name) ?? new Map<string, string>()
      file.set(name, section)
      block = ''
      continue
    }
    const pair = /^(\s*)([^=]+?)\s*=\s*(.*?)\s*$/.exec(line)
    if (pair === null || section === undefined) continue
    const [, indent = '', name = '', written = ''] = pair
    const key = name.toLowerCase()
    // A comment needs a space before it: secrets hold neither.
    const value = written.replace(/\s[#;].*$/, '').trim()
    if (indent !== '' && block !== '') {
      section.set(`${block}.${key}`, value)
      continue
    }
    block = value === '' ? key : ''
    section.set(key, value)
  }
  return file
}
