#!/usr/bin/env node
/** The command `pawl`. */
import { readFileSync } from 'node:fs'
import process from 'node:process'
import { run } from './program.js'

/** How long open handles may keep a finished command, ms. */
const patience = 2000

const text = readFileSync(
  new URL('../../package.json', import.meta.url),
  'utf8',
)
const { version = '0' }: { version?: string } = JSON.parse(text)

process.exitCode = await run(process.argv.slice(2), version)
setTimeout(() => process.exit(), patience).unref()
