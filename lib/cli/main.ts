#!/usr/bin/env node
/** The command `pawl`. */
import { readFileSync } from 'node:fs'
import process from 'node:process'
import { messageOf, systemCode } from '../realm.js'
import { plainText } from './plain-text.js'
import { StandardOutput } from './standard-output.js'

/** How long open handles may keep a finished command, ms. */
const patience = 2000

process.exitCode = await main(process.argv.slice(2))
setTimeout(() => process.exit(), patience).unref()

async function main(args: readonly string[]): Promise<number> {
  const version = await ownVersion().catch(notLoaded)
  if (typeof version === 'number') return version
  const [first, ...rest] = args
  // Asked for by scripts again and again: nothing else is loaded for it.
  if (first === '--version' && rest.length === 0) {
    const written = new StandardOutput([process.stdout, process.stderr])
    process.stdout.write(`${version}\n`)
    return written.exitCode(process.stdout, process.stderr)
  }
  const program = await import('./program.js').catch(notLoaded)
  return typeof program === 'number' ? program : program.run(args, version)
}

async function ownVersion(): Promise<string> {
  const file = new URL('../../package.json', import.meta.url)
  const { version = '0' }: { version?: string } = JSON.parse(
    readFileSync(file, 'utf8'),
  )
  return version
}

/** Its own files cannot be read: 3, where the same line may succeed later. */
function notLoaded(error: unknown): number {
  const isShort = ['EMFILE', 'ENFILE'].includes(systemCode(error))
  const more = isShort ? '; let more files be open at once (ulimit -n)' : ''
  process.stderr.write(
    `pawl: the command could not be loaded: ${plainText(messageOf(error))}${more}\n`,
  )
  return isShort ? 3 : 1
}
