/** Node says nothing about how it is used, on whichever version this is. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { bareNode } from '../support/bare-node.js'
import { compiledFixture } from '../support/compiled.js'

const loud = ['--throw-deprecation', '--pending-deprecation']

async function runLoud(
  args: string[],
): Promise<{ code: unknown; log: string }> {
  // The test runner's loader has warnings of its own.
  const child = spawn(...bareNode(...loud, ...args), {
    stdio: ['ignore', 'inherit', 'pipe'],
  })
  const [log, [code]] = await Promise.all([
    text(child.stderr),
    once(child, 'close'),
  ])
  return { code, log }
}

await t.test('no call gives a warning', async (t) => {
  const path = compiledFixture('all-calls-child')
  t.same(await runLoud([path]), { code: 0, log: '' })
})

await t.test('what is deprecated would be found', async (t) => {
  const { code, log } = await runLoud(['--eval', 'new Buffer(1)'])
  t.not(code, 0)
  t.match(log, /Buffer\(\) is deprecated/)
})
