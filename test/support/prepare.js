/**
 * Runs before the tests: makes JavaScript of all that they load, and of all that
 * their children run, in one process instead of each in its own.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { compiledSources } from './compiled.js'
import { asJavaScript, sourcesIn } from './typescript.js'

const root = fileURLToPath(new URL('../..', import.meta.url))

for (const folder of ['lib', 'docs/examples', 'test']) {
  for (const name of sourcesIn(join(root, folder))) {
    const path = join(root, folder, name)
    asJavaScript(readFileSync(path, 'utf8'), path)
  }
}

compiledSources()
