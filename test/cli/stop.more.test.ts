import t from 'tap'
import { besideEachOther } from '../support/beside.js'
import type { CliEnd } from '../support/cli-child.js'
import {
  cliDesk,
  holdAfter,
  letGo,
  linesOf,
  parts,
  slowDown,
  small,
} from '../support/cli-desk.js'

const test = besideEachOther(t)

test('killed, then run again', async (t) => {
  const d = await cliDesk(t)
  holdAfter(d, 2)
  const args = ['put', '--json', ...small, 'db.dump', `${d.url}/k`]
  const first = d.start(args)
  await first.until(/"event":"part"[\s\S]*"event":"part"/)
  first.kill('SIGKILL')
  t.match(await first.ended, { code: null, signal: 'SIGKILL' })
  letGo(d)
  const [log = ''] = await d.logs()
  t.match(await d.run(['status', log]), {
    code: 0,
    out: /state {5}unfinished; run the same upload again to go on/,
  })
  const lines = linesOf(await d.run(args))
  const result = lines.at(-1)
  t.match(result, { event: 'result', resumed: true })
  t.ok(Number(result?.['partsReused']) >= 2)
  t.ok(d.bytes.equals(await d.object('k')))
  t.same(await d.logs(), [])
})

for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  test(`${signal} suspends and says how to go on`, async (t) => {
    const d = await cliDesk(t)
    holdAfter(d, 2)
    const args = ['put', ...small, 'db.dump', `${d.url}/k`]
    const first = d.start(args)
    while (d.seen('UploadPart').filter(({ applied }) => applied).length < 2) {
      await new Promise((resolve) => setImmediate(resolve))
    }
    first.kill(signal)
    const end = await first.ended
    letGo(d)
    t.equal(end.code, code)
    t.match(end.log, `pawl: suspended by ${signal}. Run the same command again`)
    t.equal(end.out, '')
    const again = await d.run(args)
    t.match(again, { code: 0, log: /going on with an earlier upload/ })
    t.match(again.out, /12 parts, [1-9]\d* reused/)
    t.ok(d.bytes.equals(await d.object('k')))
  })
}

test('--json tells of a suspension', async (t) => {
  const d = await cliDesk(t)
  holdAfter(d, 2)
  const first = d.start(['put', '--json', ...small, 'db.dump', `${d.url}/k`])
  await first.until(/"event":"part"/)
  first.kill('SIGINT')
  const end = await first.ended
  t.equal(end.code, 130)
  t.match(linesOf(end).at(-1), {
    event: 'suspended',
    code: 'PAWL_SUSPENDED',
    resumable: true,
    transient: true,
  })
})

test('standard input is uploaded and goes on', async (t) => {
  const d = await cliDesk(t)
  holdAfter(d, 2)
  const size = String(d.bytes.length)
  const args = ['put', '--json', ...small, '--size', size, '-', `${d.url}/k`]
  const first = d.start(args, d.bytes)
  await first.until(/"event":"part"[\s\S]*"event":"part"/)
  first.kill('SIGKILL')
  await first.ended
  letGo(d)
  t.equal((await d.logs()).length, 1)
  const lines = linesOf(await d.run(args, d.bytes))
  t.match(lines.at(-1), { event: 'result', resumed: true, parts })
  t.ok(d.bytes.equals(await d.object('k')))
})

test('Ctrl-C ends the command of --exec too', async (t) => {
  const d = await cliDesk(t)
  const child = d.start([
    'put',
    '--json',
    ...small,
    '--exec',
    'cat db.dump; echo running >&2; exec sleep 1000',
    `${d.url}/k`,
  ])
  await child.until(/running/)
  child.kill('SIGINT')
  // Its output would stay open as long as the command runs.
  t.equal((await child.ended).code, 130)
})

test('in a terminal there is a bar', async (t) => {
  const d = await cliDesk(t)
  slowDown(d)
  const args = ['put', ...small, 'db.dump', `${d.url}/k`]
  const first = d.terminal(args)
  await first.until(/db\.dump \[=+ +\] [1-9]\d?% .*MiB {2}.*\/s/)
  while (!d.seen('UploadPart').some(({ applied }) => applied)) {
    await new Promise((resolve) => setImmediate(resolve))
  }
  first.type('\u0003')
  const suspended = await first.ended
  letGo(d)
  t.equal(suspended.code, 130)
  t.match(suspended.out, /suspended by SIGINT\. Run the same command again/)
  const again = await d.terminal(args).ended
  t.equal(again.code, 0)
  t.match(again.out, /going on with an earlier upload/)
  t.match(again.out, /100% {2}1\.2 MiB of 1\.2 MiB .*[1-9]\d* parts? reused/)
  t.match(again.out, /\/k \(1\.2 MiB, 12 parts, [1-9]\d* reused, crc64 \d+\)/)
  t.ok(again.out.includes('\u001b[?25h'), 'the cursor is back')
  t.ok(d.bytes.equals(await d.object('k')))
})

test('the bar moves before the first part is stored', async (t) => {
  const d = await cliDesk(t)
  d.server.setFault(({ operation }) =>
    operation === 'UploadPart' ? { kind: 'silence' } : undefined,
  )
  const child = d.terminal(['put', ...small, 'db.dump', `${d.url}/k`])
  await child.until(/db\.dump \[=+ +\] [1-9]\d?% {2}[1-9]\d* KiB of 1\.2 MiB/)
  t.same(
    d.seen('UploadPart').filter(({ applied }) => applied),
    [],
  )
  child.type('\u0003')
  t.equal((await child.ended).code, 130)
})

test('in a narrow terminal no line is too long', async (t) => {
  const columns = 40
  const d = await cliDesk(t)
  slowDown(d)
  const args = ['put', ...small, 'db.dump', `${d.url}/k`]
  const { code, out } = await d.terminal(args, columns).ended
  t.equal(code, 0)
  const bars = out
    // Each redraw begins at the first column.
    // oxlint-disable-next-line no-control-regex
    .split(/[\r\n]|\u001b\[1G/)
    // oxlint-disable-next-line no-control-regex
    .map((line) => line.replaceAll(/\u001b(?:\[[?\d]*[A-Za-z]|[78])/g, ''))
    .filter((line) => line.includes('['))
  t.ok(bars.length > 2)
  for (const bar of bars) {
    t.match(bar, /^db\.dump \[=* *\] \d+%/)
    t.ok(bar.length < columns, bar)
  }
})

test('a signal ends a list with its exit code', async (t) => {
  const d = await cliDesk(t)
  d.server.setFault(() => ({ kind: 'silence' }))
  const child = d.start(['uploads', `${d.url}/`])
  while (d.seen('ListMultipartUploads').length === 0) {
    await new Promise((resolve) => setImmediate(resolve))
  }
  child.kill('SIGTERM')
  t.match(await child.ended, {
    code: 143,
    out: '',
    log: 'pawl: stopped by SIGTERM.\n',
  })
})

test('in a terminal, killed and run again', async (t) => {
  const d = await cliDesk(t)
  slowDown(d)
  const args = ['put', ...small, 'db.dump', `${d.url}/k`]
  const first = d.terminal(args)
  await first.until(/[1-9]\d?% /)
  while (!d.seen('UploadPart').some(({ applied }) => applied)) {
    await new Promise((resolve) => setImmediate(resolve))
  }
  first.kill('SIGKILL')
  await first.ended
  letGo(d)
  // The command hears of its terminal's end and may suspend; the log is free
  // when it has gone.
  let again: CliEnd
  do {
    again = await d.terminal(args).ended
  } while (again.out.includes('PAWL_CHECKPOINT_LOCKED'))
  t.equal(again.code, 0)
  t.match(again.out, /12 parts, [1-9]\d* reused/)
  t.ok(d.bytes.equals(await d.object('k')))
})

test('a second Ctrl-C exits at once', async (t) => {
  const d = await cliDesk(t)
  d.server.setFault(({ operation }) =>
    operation === 'CompleteMultipartUpload' ? { kind: 'silence' } : undefined,
  )
  const child = d.start(['put', '--json', ...small, 'db.dump', `${d.url}/k`])
  while (d.seen('CompleteMultipartUpload').length === 0) {
    await new Promise((resolve) => setImmediate(resolve))
  }
  child.kill('SIGINT')
  child.kill('SIGINT')
  const end = await child.ended
  t.equal(end.code, 130)
})
