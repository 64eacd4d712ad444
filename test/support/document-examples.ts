/** The TypeScript in documents. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { tsBlocksOf } from './ts-blocks.js'

const root = fileURLToPath(new URL('../..', import.meta.url))

export interface Example {
  /** As a file's. */
  name: string
  text: string
}

/** The fenced `ts` blocks of a document, by the line they begin at. */
export function examplesOf(document: string): Example[] {
  const text = readFileSync(join(root, document), 'utf8')
  return tsBlocksOf(text).map((block) => ({
    name: join(root, `${document}.line-${block.line}.ts`),
    // An example is a module even when it imports nothing.
    text: `${block.text}\nexport {}\n`,
  }))
}
