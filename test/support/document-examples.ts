/** The TypeScript in documents. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))

export interface Example {
  /** As a file's. */
  name: string
  text: string
}

/** The fenced `ts` blocks of a document, by the line they begin at. */
export function examplesOf(document: string): Example[] {
  const text = readFileSync(join(root, document), 'utf8')
  return [...text.matchAll(/^```ts\n(.*?)^```$/gms)].map((match) => {
    const line = text.slice(0, match.index).split('\n').length
    const body = match[1] ?? ''
    return {
      name: join(root, `${document}.line-${line}.ts`),
      // An example is a module even when it imports nothing.
      text: `${body}\nexport {}\n`,
    }
  })
}
