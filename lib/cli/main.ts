#!/usr/bin/env node
/** The command `pawl`. */
import { readFileSync } from 'node:fs'
import process from 'node:process'
import { StandardOutput } from './standard-output.js'

/** How long open handles may keep a finished command, ms. */
const patience = 2000

const text = readFileSync(
  new URL('../../package.json', import.meta.url),
  'utf8',
)
const { version = '0' }: { version?: string } = JSON.parse(text)

process.exitCode = await main(process.argv.slice(2))
setTimeout(() => process.exit(), patience).unref()

async function main(args: readonly string[]): Promise<number> {
  const [first, ...rest] = args
  // Asked for by scripts again and again: nothing else is loaded for it.
  if (first === '--version' && rest.length === 0) {
    const written = new StandardOutput([process.stdout, process.stderr])
    process.stdout.write(`${version}\n`)
    return written.exitCode(process.stdout, process.stderr)
  }
  const { run } = await import('./program.js')
  return run(args, version)
}
