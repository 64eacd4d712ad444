import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { noise } from '../support/dev-store.js'
import { exampleRunner, part } from '../support/example-runner.js'

const { uploadFiles } = await import('../../docs/examples/many-files.js')

await t.test('many files, some at once, and what fails is told', async (t) => {
  const run = await exampleRunner(t)
  const files = Array.from({ length: 9 }, (_, i) => ({
    path: join(run.directory, `file-${i}`),
    key: `many/${i}`,
  }))
  for (const [i, { path }] of files.entries()) {
    if (i !== 4) await writeFile(path, noise(2 * part + i, i + 1))
  }
  let most = 0
  run.server.setFault(() => {
    most = Math.max(most, run.server.openUploads().length)
    return undefined
  })
  const outcomes = await uploadFiles(files, 3, {
    store: run.store,
    partSize: part,
    checkpointDir: run.directory,
  })
  t.equal(outcomes.length, files.length)
  t.equal(most, 3, 'at once')
  for (const [i, outcome] of outcomes.entries()) {
    t.match(outcome, files[i] ?? {})
    if (i === 4) {
      t.match(outcome, { error: { code: 'PAWL_SOURCE_IO' } })
      continue
    }
    t.match(outcome, { result: { size: 2 * part + i } })
    const bytes = await readFile(files[i]?.path ?? '')
    t.ok(bytes.equals(await run.object(`many/${i}`)))
  }
})
