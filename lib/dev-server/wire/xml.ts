/** Children of an element: text, or elements already written. */
export type XmlChildren = readonly string[]

/** One element with text. Control characters become references, as S3 does. */
export function textElement(name: string, value: string | number): string {
  return `<${name}>${escapeText(String(value))}</${name}>`
}

/** One element with elements. */
export function parentElement(name: string, children: XmlChildren): string {
  return `<${name}>${children.join('')}</${name}>`
}

/** A whole document; an empty namespace is left out. */
export function xmlDocument(
  root: string,
  children: XmlChildren,
  namespace = '',
): string {
  const attribute = namespace === '' ? '' : ` xmlns="${namespace}"`
  return `<?xml version="1.0" encoding="UTF-8"?>\n<${root}${attribute}>${children.join('')}</${root}>`
}

function escapeText(text: string): string {
  return text.replace(
    // oxlint-disable-next-line no-control-regex
    /[&<>"\u0000-\u0008\u000b\u000c\u000d\u000e-\u001f]/g,
    (character) => `&#${character.charCodeAt(0)};`,
  )
}
