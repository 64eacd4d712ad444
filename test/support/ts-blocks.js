/**
 * The fenced `ts` blocks of a document, as programs. One that imports nothing goes on
 * from the last one that does: from its lead, whose lines stand before its own.
 */
export function tsBlocksOf(text) {
  const blocks = [...text.matchAll(/^```ts\n(.*?)^```$/gms)].map((match) => {
    const [, body = ''] = match
    const line = text.slice(0, match.index).split('\n').length
    return { line, body, isWhole: /^import /m.test(body) }
  })
  return blocks.map((block, at) => {
    const lead = blocks.slice(0, at).findLast(({ isWhole }) => isWhole)
    const next = blocks[at + 1] ?? { isWhole: true }
    return {
      ...block,
      /** Others go on from it. */
      isLead: block.isWhole && !next.isWhole,
      text: block.isWhole ? block.body : `${lead?.body ?? ''}\n${block.body}`,
    }
  })
}
