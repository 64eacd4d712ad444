#!/usr/bin/env node
/**
 * Runs what people do from a terminal or a cron job with `pawl` and with other
 * commands, and prints it as a table: `npm run peers`; with `--write` it goes into
 * `docs/peers.md`. Each cell is what was seen: bytes and requests are counted on a
 * line to the dev server.
 *
 *     node test/peers/table.js [--write] [row ...]
 *
 * Debian's awscli, rclone and s3cmd are installed when they are missing (as root).
 */
import { spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import {
  awsConfig,
  clients,
  rcloneConfig,
  rcloneKeys,
  s3cfg,
  s3cmdKeys,
} from './clients.js'
import { accessKey, openDesk, secretKey } from './desk.js'
import { openLine } from './line.js'
import { installed } from './packages.js'

const MB = 1_000_000
const document = fileURLToPath(new URL('../../docs/peers.md', import.meta.url))
const marks = ['<!-- by npm run peers -->\n', '<!-- end -->\n']
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { write: { type: 'boolean', default: false } },
})

await installed(['awscli', 'rclone', 's3cmd'])
const desk = await openDesk(new AbortController().signal)
const work = join(desk.directory, 'work')
let runs = 0

async function makeFiles() {
  await mkdir(join(work, 'many'), { recursive: true })
  await mkdir(join(work, '.aws'))
  await writeFile(join(work, '.aws/config'), awsConfig)
  await writeFile(join(work, 'big'), randomBytes(40 * MB))
  await writeFile(join(work, 'small'), 'small')
  for (let i = 0; i < 300; i++) {
    await writeFile(join(work, 'many', `f${i}`), randomBytes(16 * 1024))
  }
}

/** A line, and what the commands need to know of it. */
async function lineOf(rate, { secret = secretKey, rcloneAuth, s3Keys } = {}) {
  const line = await openLine(Number(new URL(desk.endpoint).port), rate)
  await configure(line.endpoint, line.host, { secret, rcloneAuth, s3Keys })
  return line
}

async function configure(endpoint, host, { secret, rcloneAuth, s3Keys } = {}) {
  await writeFile(
    join(work, 'rclone.conf'),
    rcloneConfig(endpoint, rcloneAuth ?? rcloneKeys(secret)),
  )
  await writeFile(join(work, 's3cfg'), s3cfg(host, s3Keys ?? s3cmdKeys(secret)))
}

const keys = { AWS_ACCESS_KEY_ID: accessKey, AWS_SECRET_ACCESS_KEY: secretKey }

function start([file, ...args], env = keys) {
  const child = spawn(file, args, {
    cwd: work,
    detached: true,
    env: {
      PATH: '/usr/local/bin:/usr/bin:/bin',
      HOME: work,
      LC_ALL: 'C.UTF-8',
      AWS_EC2_METADATA_DISABLED: 'true',
      AWS_REGION: 'us-east-1',
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let said = ''
  child.stdout.on('data', (chunk) => (said += chunk))
  child.stderr.on('data', (chunk) => (said += chunk))
  const ended = once(child, 'close').then(([code, signal]) => ({
    code: code ?? signal,
    said,
  }))
  // The whole group, as a terminal does it.
  return { ended, kill: (signal) => process.kill(-child.pid, signal) }
}

const passed = async (line, bytes) => {
  while (line.seen.bytes < bytes) await sleep(20)
}

const inMB = (bytes) => `${Math.round(bytes / MB)} MB`
const outcome = ({ code }) => (code === 0 ? 'done' : `fails, exit code ${code}`)

/** Stopped by a signal after so many bytes, then the same line again. */
async function stopped(client, signal, { rate, bytes }) {
  const line = await lineOf(rate)
  const command = client.file(line.endpoint, 'big', `stop-${++runs}`)
  const first = start(command)
  await passed(line, bytes)
  first.kill(signal)
  await first.ended
  await line.idle()
  const before = line.seen.bytes
  const again = await start(command).ended
  const sent = line.seen.bytes - before
  await line.close()
  return again.code === 0 ? `sends ${inMB(sent)}` : outcome(again)
}

/** By the name of the row: what is done, and what each command makes of it. */
const rows = {
  'killed after 24 of 40 MB, at 8 MB/s; the same line again': (client) =>
    stopped(client, 'SIGKILL', { rate: 8 * MB, bytes: 24 * MB }),
  'Ctrl-C after 24 of 40 MB, at 4 MB/s; the same line again': (client) =>
    stopped(client, 'SIGINT', { rate: 4 * MB, bytes: 24 * MB }),
  'the network is away for 8 s': async (client) => {
    const line = await lineOf(8 * MB)
    const run = start(client.file(line.endpoint, 'big', `out-${++runs}`))
    await passed(line, 12 * MB)
    await line.cut()
    await sleep(8000)
    await line.mend()
    const end = await run.ended
    await line.close()
    return outcome(end)
  },
  'a pipe whose command fails without a byte': async (client) => {
    const line = await lineOf()
    const end = await start(
      client.pipe(line.endpoint, 'false', `pipe-${++runs}`),
    ).ended
    await line.close()
    return end.code === 0 ? 'an empty object, exit code 0' : 'refused'
  },
  'a pipe whose first command fails half way': async (client) => {
    const line = await lineOf()
    const dump = '{ head -c 100000 big; exit 1; } | gzip'
    const end = await start(client.pipe(line.endpoint, dump, `half-${++runs}`))
      .ended
    await line.close()
    return end.code === 0 ? 'half a dump, exit code 0' : 'refused'
  },
  '300 files of 16 KiB, killed after 3 MB; the same line again': async (
    client,
  ) => {
    const line = await lineOf(4 * MB)
    const command = client.tree(line.endpoint, 'many', `many-${++runs}`)
    const first = start(command)
    await passed(line, 3 * MB)
    first.kill('SIGKILL')
    await first.ended
    await line.idle()
    const sent = line.seen.requests.PUT ?? 0
    line.seen.requests = {}
    const again = await start(command).ended
    const { PUT = 0, GET = 0, HEAD = 0 } = line.seen.requests
    await line.close()
    if (again.code !== 0) return outcome(again)
    const asked = GET + HEAD
    return `sends ${PUT}, of ${300 - sent} left${asked === 0 ? '' : `; asks ${asked} times`}`
  },
  'a wrong secret': async (client) => {
    const secret = 'wrong'
    const line = await lineOf(Infinity, { secret })
    const env = { ...keys, AWS_SECRET_ACCESS_KEY: secret }
    const began = performance.now()
    const end = await start(client.file(line.endpoint, 'small', 'w'), env).ended
    const seconds = Math.round((performance.now() - began) / 1000)
    await line.close()
    const names = /SignatureDoesNotMatch|signature/i.test(end.said)
    return `exit code ${end.code} after ${seconds} s${names ? ', says that the signature is wrong' : ''}`
  },
  'keys of a profile in `~/.aws`': async (client) => {
    const profile = `[peer]\naws_access_key_id = ${accessKey}\naws_secret_access_key = ${secretKey}\n`
    await writeFile(join(work, '.aws/credentials'), profile)
    const line = await lineOf(Infinity, {
      rcloneAuth: 'env_auth = true\n',
      s3Keys: '',
    })
    const command = client.file(line.endpoint, 'small', `profile-${++runs}`)
    const end = await start(command, { AWS_PROFILE: 'peer' }).ended
    await line.close()
    await rm(join(work, '.aws/credentials'))
    return end.code === 0 ? 'used' : 'not used'
  },
  'a proxy of the environment': async (client) => {
    const proxy = await openProxy()
    await configure('http://store.invalid', 'store.invalid')
    const env = { ...keys, HTTP_PROXY: proxy.url, http_proxy: proxy.url }
    const command = client.file('http://store.invalid', 'small', 'proxied')
    const end = await start(command, env).ended
    const isUsed = end.code === 0 && proxy.puts() > 0
    const isBySettings =
      !isUsed &&
      client.hasProxySettings &&
      (await throughSettings(proxy, command))
    await proxy.close()
    if (isBySettings) return 'not used; by settings of its own'
    return isUsed ? 'used' : `not used, exit code ${end.code}`
  },
  quiet: async (client) => {
    const line = await lineOf()
    const command = client.file(line.endpoint, 'small', `quiet-${++runs}`)
    const { code, said } = await start([...command, ...client.quiet]).ended
    await line.close()
    if (code !== 0) return outcome({ code })
    const flag = client.quiet[0]
    const how = flag === undefined ? 'by itself' : `\`${flag}\``
    return said === '' ? how : `${how}, and prints ${said.length} bytes`
  },
  'dry run': async (client) => {
    const line = await lineOf()
    const command = client.tree(line.endpoint, 'many', `dry-${++runs}`)
    const { code } = await start([...command, ...client.dryRun]).ended
    const { PUT = 0 } = line.seen.requests
    await line.close()
    return code === 0 && PUT === 0 ? `\`${client.dryRun[0]}\`` : 'sends'
  },
  completion: async (client) => {
    const { code, said } = await start(client.completion).ended
    return code === 0 && said !== '' ? 'yes' : 'none'
  },
}

async function throughSettings(proxy, command) {
  const { hostname, port } = new URL(proxy.url)
  const settings = `proxy_host = ${hostname}\nproxy_port = ${port}\n`
  const cfg = s3cfg('store.invalid', s3cmdKeys() + settings)
  await writeFile(join(work, 's3cfg'), cfg)
  const { code } = await start(command).ended
  return code === 0 && proxy.puts() > 0
}

/** Takes what is put through it for stored. */
async function openProxy() {
  let puts = 0
  let stored = Buffer.alloc(0)
  const server = createServer(async (request, response) => {
    const chunks = []
    for await (const chunk of request) chunks.push(chunk)
    const isProxied = request.url.startsWith('http://store.invalid/')
    if (request.method === 'PUT' && isProxied) {
      puts += 1
      stored = Buffer.concat(chunks)
    }
    const isObject = request.url.endsWith('/proxied')
    // Nothing is there before it is put.
    const status = request.method === 'PUT' || !isObject || puts > 0 ? 200 : 404
    const headers = {
      etag: `"${createHash('md5').update(stored).digest('hex')}"`,
      ...(request.method === 'HEAD' && isObject
        ? { 'content-length': stored.length }
        : {}),
      'last-modified': new Date().toUTCString(),
    }
    response.writeHead(isProxied ? status : 502, headers).end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    puts: () => puts,
    close: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

async function versions() {
  const of = async (command) => (await start(command).ended).said.split('\n')[0]
  const [, aws] = /aws-cli\/(\S+)/.exec(await of(['/usr/bin/aws', '--version']))
  const [, rclone] = /v(\S+)/.exec(await of(['/usr/bin/rclone', 'version']))
  const [, s3cmd] = /version (\S+)/.exec(
    await of(['/usr/bin/s3cmd', '--version']),
  )
  return `AWS CLI ${aws} (\`aws s3 cp\`), rclone ${rclone} (\`rclone copy\`), s3cmd ${s3cmd} (\`s3cmd put\`)`
}

const chosen = Object.entries(rows).filter(
  ([name]) =>
    positionals.length === 0 || positionals.some((word) => name.includes(word)),
)
const lines = [
  `| | ${Object.keys(clients).join(' | ')} |`,
  `|---${'|---'.repeat(Object.keys(clients).length)}|`,
]
try {
  await makeFiles()
  const line = await lineOf()
  await start(['/usr/bin/s3cmd', '-c', 's3cfg', 'mb', 's3://peers']).ended
  await line.close()
  for (const [name, run] of chosen) {
    const cells = []
    for (const [who, client] of Object.entries(clients)) {
      cells.push(await run(client))
      console.error(`${name}: ${who}: ${cells.at(-1)}`)
    }
    lines.push(`| ${name} | ${cells.join(' | ')} |`)
  }
  const text = `${await versions()}, parts of 5 MiB, on one server on loopback behind a line of the rate that the row names.\n\n${lines.join('\n')}\n`
  console.log(text)
  if (values.write) await write(text)
} finally {
  await desk.close()
}

async function write(text) {
  const before = await readFile(document, 'utf8')
  const [start, rest] = before.split(marks[0])
  const end = rest?.split(marks[1])[1]
  if (end === undefined) throw new Error(`${document} has no place for it`)
  await writeFile(document, `${start}${marks[0]}\n${text}\n${marks[1]}${end}`)
}
