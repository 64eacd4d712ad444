/** Copies of the repository in which a source can be changed. */
import { execFileSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { namesIn } from '../support/typescript.js'

export const root = fileURLToPath(new URL('../..', import.meta.url))

/** The sources of `lib`: `{ name, text }`, with names relative to the root. */
export function libFiles() {
  return namesIn(join(root, 'lib'))
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join('lib', name))
    .map((name) => ({ name, text: readFileSync(join(root, name), 'utf8') }))
}

/** What git knows of, as it is now; packages are shared, what is made of sources not. */
export function copyTo(directory) {
  const names = execFileSync('git', ['ls-files', '-z'], {
    cwd: root,
    encoding: 'utf8',
  })
  for (const name of names.split('\0')) {
    const from = join(root, name)
    if (name === '' || !existsSync(from)) continue
    mkdirSync(dirname(join(directory, name)), { recursive: true })
    cpSync(from, join(directory, name), { verbatimSymlinks: true })
  }
  const packages = join(directory, 'node_modules')
  mkdirSync(packages)
  for (const name of readdirSync(join(root, 'node_modules'))) {
    if (name === '.cache') continue
    symlinkSync(join(root, 'node_modules', name), join(packages, name))
  }
  mkdirSync(join(packages, '.cache'))
  const built = join('node_modules/.cache/pawl-tap-built')
  if (existsSync(join(root, built))) {
    cpSync(join(root, built), join(directory, built))
  }
}
