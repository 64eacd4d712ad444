/** Where documents lead to, as a code host reads them. */

/** Paths of what a document links to or shows, from the root, with their anchors. */
export function linksOf(from, text) {
  const page = new URL(from, 'file:///')
  const code = /^(?: {4}.*|```.*?^```$)/gms
  const shown = text.replaceAll(code, '').replaceAll(/`[^`\n]*`/g, 'code')
  return [
    ...shown.matchAll(
      /\]\(([^)\s]+)\)|<img[^>]* src="([^"]+)"|srcset="([^"]+)"/g,
    ),
  ]
    .map(([, ...found]) => found.find((link) => link !== undefined))
    .filter((link) => !/^[a-z]+:/.test(link))
    .map((link) => {
      const { pathname, hash } = new URL(link, page)
      return {
        path: decodeURIComponent(pathname.slice(1)),
        anchor: hash.slice(1),
      }
    })
}

/** Anchors of headings, numbered when they repeat, and of tables. */
export function anchorsOf(text) {
  const anchors = new Set()
  const seen = new Map()
  for (const [, heading] of text.matchAll(/^#+ (.+)$/gm)) {
    const slug = heading
      .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-')
    const count = seen.get(slug) ?? 0
    seen.set(slug, count + 1)
    anchors.add(count === 0 ? slug : `${slug}-${count}`)
  }
  for (const [, id] of text.matchAll(/<a id="([^"]+)">/g)) anchors.add(id)
  return anchors
}
