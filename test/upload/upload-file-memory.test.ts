import { spawn } from 'node:child_process'
import { truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import t from 'tap'
import type {
  LargeFileJob,
  LargeFileReport,
} from '../fixtures/large-file-child.js'
import { isHeld, viewSize } from '../../lib/upload/file-parts.js'
import { devStore, noise, smallPart } from '../support/dev-store.js'
import { compiledSources } from '../support/compiled.js'

const MiB = 1024 * 1024
const GiB = 1024 * MiB

await t.test('what is held is never more than 64 MiB', async (t) => {
  const rows: [number, number, boolean][] = [
    [8 * MiB, 4, true],
    [16 * MiB, 4, true],
    [16 * MiB, 5, false],
    [16 * MiB + 1, 1, false],
    [smallPart, 256, true],
    [MiB, 64, true],
    [MiB, 65, false],
    [5 * GiB, 4, false],
  ]
  for (const [partSize, concurrency, held] of rows) {
    t.equal(isHeld(partSize, concurrency), held, `${partSize} ${concurrency}`)
  }
  for (const concurrency of [1, 4, 64, 256]) {
    t.ok(2 * viewSize(concurrency) * concurrency <= 64 * MiB)
    t.ok(viewSize(concurrency) >= 64 * 1024)
  }
})

// PAWL_FULL=1: a file of 100 GiB in parts of 5 GiB, which takes ten minutes.
const isFull = process.env['PAWL_FULL'] === '1'
const fileSize = isFull ? 100 * GiB : 2 * GiB
const partSize = isFull ? 5 * GiB : GiB

await t.test('memory does not grow with the parts', async (t) => {
  const { server, directory } = await devStore(t, {
    discard: true,
    digests: 'none',
  })
  const warmUp = join(directory, 'warm')
  const file = join(directory, 'large')
  await writeFile(warmUp, noise(smallPart))
  await writeFile(file, '')
  await truncate(file, fileSize)
  const { endpoint } = server
  const job: LargeFileJob = { endpoint, warmUp, file, partSize }
  const sources = await compiledSources(t)
  const path = join(sources, 'test/fixtures/large-file-child.js')
  const child = spawn(
    'env',
    ['-u', 'NODE_OPTIONS', process.execPath, path, JSON.stringify(job)],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  const report = JSON.parse(await text(child.stdout)) as LargeFileReport
  t.match(report, { size: fileSize, parts: fileSize / partSize })
  t.comment(
    `${Math.round(report.before / MiB)} MiB before, ${Math.round(report.most / MiB)} MiB at most`,
  )
  t.ok(report.most < 160 * MiB)
})
