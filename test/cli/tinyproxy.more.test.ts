/** Uploads through Debian's tinyproxy, which is installed when it is missing. */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { cliDesk, small } from '../support/cli-desk.js'
import { temporaryDirectory } from '../support/dev-store.js'
import { closedPort } from '../support/raw-server.js'
import { authority, tlsFront } from '../support/tls-front.js'

const key = {
  OSS_ACCESS_KEY_ID: 'dev',
  OSS_ACCESS_KEY_SECRET: 'dev-secret',
  OSS_REGION: 'cn-hangzhou',
  HOME: '/none',
}

for (const password of [undefined, 'ann secret-word'] as const) {
  const name = password === undefined ? 'without' : 'with'
  await t.test(`tinyproxy ${name} a password`, async (t) => {
    const d = await cliDesk(t)
    const tls = await tlsFront(t, d.server.port)
    const port = await tinyproxy(t, password)
    const user = password === undefined ? '' : 'ann:secret-word@'
    const proxy = `http://${user}127.0.0.1:${port}`
    for (const endpoint of [d.server.endpoint, tls]) {
      const line = `pawl put ${small.join(' ')} --endpoint ${endpoint} --ca ${authority} db.dump oss://examplebucket/k`
      const env = { ...key, HTTPS_PROXY: proxy, HTTP_PROXY: proxy }
      const end = await d.script(line, env).ended
      t.match(end, { code: 0, out: /12 parts, 0 reused/ }, end.log)
      t.ok(d.bytes.equals(await d.object('k')))
      if (endpoint !== tls) {
        t.match(d.server.requests.at(-1)?.headers, { via: /tinyproxy/ })
      }
      if (password === undefined) continue
      const wrong = proxy.replace('secret-word', 'other-word')
      const refused = await d.script(`${line} --attempts 1`, {
        ...env,
        HTTPS_PROXY: wrong,
        HTTP_PROXY: wrong,
      }).ended
      t.not(refused.code, 0)
      t.match(refused.log, /The proxy wants a name and a password/)
      t.notMatch(refused.log, /-word/)
    }
  })
}

/** Resolves to its port. */
async function tinyproxy(t: Test, password: string | undefined) {
  mustBeInstalled()
  const port = await closedPort()
  const file = join(await temporaryDirectory(t), 'tinyproxy.conf')
  const lines = [
    `Port ${port}`,
    'Listen 127.0.0.1',
    'Timeout 60',
    ...(password === undefined ? [] : [`BasicAuth ${password}`]),
  ]
  await writeFile(file, `${lines.join('\n')}\n`)
  const child = spawn('tinyproxy', ['-d', '-c', file], { stdio: 'ignore' })
  const gone = once(child, 'exit')
  t.teardown(async () => {
    child.kill()
    await gone
  })
  while (!(await listens(port))) {
    if (child.exitCode !== null) throw new Error('tinyproxy has ended')
  }
  return port
}

function mustBeInstalled(): void {
  try {
    execFileSync('tinyproxy', ['-v'], { stdio: 'ignore' })
  } catch {
    const quiet = { stdio: 'ignore' } as const
    execFileSync('apt-get', ['update', '-qq'], quiet)
    execFileSync(
      'apt-get',
      ['install', '-qq', '-y', '--no-install-recommends', 'tinyproxy'],
      quiet,
    )
  }
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => resolve(true))
    socket.once('error', () => resolve(false))
    socket.once('close', () => socket.destroy())
    socket.once('connect', () => socket.destroy())
  })
}
