/** Signals, terminals that go away, and what is started without one. */
import t from 'tap'
import { besideEachOther } from '../support/beside.js'
import { cliDesk, slowDown, small, type Desk } from '../support/cli-desk.js'

const test = besideEachOther(t)

const put = `pawl put ${small.join(' ')}`

async function partsStored(d: Desk, count: number): Promise<void> {
  while (d.seen('UploadPart').filter(({ applied }) => applied).length < count) {
    await new Promise((resolve) => {
      setImmediate(resolve)
    })
  }
}

for (const [signal, code] of [
  ['SIGHUP', 129],
  ['SIGQUIT', 131],
] as const) {
  test(`${signal} suspends, and ends the command of --exec`, async (t) => {
    const d = await cliDesk(t)
    const child = d.start([
      'put',
      ...small,
      '--exec',
      'cat db.dump; echo running >&2; sleep 1000 | cat',
      `${d.url}/k`,
    ])
    await child.until(/running/)
    child.kill(signal)
    // Its output would stay open as long as the command runs.
    const end = await child.ended
    t.equal(end.code, code)
    t.match(end.log, `suspended by ${signal}. Run the same command again`)
  })
}

test('under nohup a hangup changes nothing', async (t) => {
  const d = await cliDesk(t)
  slowDown(d)
  const rows = [
    `nohup ${put} db.dump $URL/k0 & echo "pid=$!."; wait $!`,
    `nohup ${put} --exec 'cat db.dump' $URL/k1 & echo "pid=$!."; wait $!`,
  ]
  for (const [at, line] of rows.entries()) {
    const child = d.script(line)
    await partsStored(d, at * 12 + 2)
    process.kill(Number(/pid=(\d+)\./.exec(child.said())?.[1]), 'SIGHUP')
    t.match(await child.ended, { code: 0 }, line)
    t.ok(d.bytes.equals(await d.object(`k${at}`)))
  }
})

test('hangups that come twice do not cut a suspension short', async (t) => {
  const d = await cliDesk(t)
  slowDown(d)
  const child = d.script(`exec ${put} db.dump $URL/k`)
  await partsStored(d, 2)
  child.kill('SIGHUP')
  child.kill('SIGHUP')
  const end = await child.ended
  t.match(end, { code: 129, log: /suspended by SIGHUP/ })
  t.match(await d.script(`${put} db.dump $URL/k`).ended, {
    code: 0,
    out: /[1-9]\d* reused/,
  })
})

test('a session of its own, and closed standard streams', async (t) => {
  const d = await cliDesk(t)
  const rows = [
    `setsid -w ${put} db.dump $URL/k0 < /dev/null > /dev/null 2>&1`,
    `setsid -w ${put} --exec 'cat db.dump' $URL/k1 <&- >&- 2>&-`,
    `env -i PATH="$PATH" HOME=/ ${put} db.dump "$URL/k2" <&- > /dev/null`,
  ]
  for (const [at, line] of rows.entries()) {
    t.match(await d.script(line).ended, { code: 0 }, line)
    t.ok(d.bytes.equals(await d.object(`k${at}`)), line)
  }
})

test('the command of --exec has the terminal', async (t) => {
  const d = await cliDesk(t)
  const command = 'read -r word < /dev/tty; echo "$word"; echo asked > /dev/tty'
  const child = d.scriptInTerminal(
    `echo ready; ${put} --exec '${command}' $URL/k`,
  )
  await child.until(/ready/)
  child.type('secret\n')
  t.match(await child.ended, { code: 0, out: /asked/ })
  t.equal(String(await d.object('k')), 'secret\n')
})

test('in a terminal, Ctrl-C suspends and ends all of --exec', async (t) => {
  const d = await cliDesk(t)
  const child = d.scriptInTerminal(
    `${put} --exec 'cat db.dump; echo "run"ning > /dev/tty; sleep 1000 | cat' $URL/k; echo "code=$?"`,
  )
  await child.until(/running/)
  child.type('\u0003')
  const { out } = await child.ended
  t.match(out, /suspended by SIGINT/)
})

test('a signal from elsewhere ends all of --exec in a terminal', async (t) => {
  const d = await cliDesk(t)
  const child = d.scriptInTerminal(
    `${put} --exec 'cat db.dump; echo "pid=$PPID." > /dev/tty; sleep 1000 | cat' $URL/k`,
  )
  await child.until(/pid=\d+\./)
  const pid = Number(/pid=(\d+)\./.exec(child.said())?.[1])
  process.kill(pid, 'SIGTERM')
  // The terminal stays open as long as the command runs.
  t.match((await child.ended).out, /suspended by SIGTERM/)
})

test('a terminal that goes away under nohup ends nothing, though it is written to', async (t) => {
  const d = await cliDesk(t)
  slowDown(d)
  // As a shell says that `nohup` runs, which has let go of no terminal here.
  const child = d.scriptInTerminal(
    `exec env _=/usr/bin/nohup ${put} --verbose db.dump $URL/k`,
  )
  await partsStored(d, 2)
  child.kill('SIGKILL')
  await child.ended
  await partsStored(d, 12)
  while (!d.seen('CompleteMultipartUpload').some(({ applied }) => applied)) {
    await new Promise((resolve) => {
      setImmediate(resolve)
    })
  }
  t.ok(d.bytes.equals(await d.object('k')))
  // The log goes when its result has been said, to nobody.
  while ((await d.logs()).length > 0) {
    await new Promise((resolve) => {
      setImmediate(resolve)
    })
  }
  t.equal(d.seen('CreateMultipartUpload').length, 1)
})

test('a terminal that goes away suspends', async (t) => {
  const d = await cliDesk(t)
  slowDown(d)
  const child = d.scriptInTerminal(`exec ${put} db.dump $URL/k`)
  await partsStored(d, 2)
  child.kill('SIGKILL')
  await child.ended
  // The log is free once the command has gone.
  let again = await d.script(`${put} db.dump $URL/k`).ended
  while (again.log.includes('PAWL_CHECKPOINT_LOCKED')) {
    again = await d.script(`${put} db.dump $URL/k`).ended
  }
  t.match(again, { code: 0, out: /[1-9]\d* reused/ })
  t.ok(d.bytes.equals(await d.object('k')))
})
