/**
 * What every peer gets: a server, files to send, and a way to run commands that
 * see nothing of this machine's settings.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import {
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'

const command = fileURLToPath(
  new URL('../../dist/cli/main.js', import.meta.url),
)
const MiB = 1024 * 1024

export const accessKey = 'peer'
export const secretKey = 'peer-secret'

/** A server of its own key, and files; `signal` ends all that runs. */
export async function openDesk(signal) {
  const directory = await mkdtemp(join(tmpdir(), 'pawl-peers-'))
  const tree = join(directory, 'tree')
  await mkdir(join(tree, 'sub dir'), { recursive: true })
  await writeFile(join(tree, 'small.txt'), 'small\n')
  await writeFile(join(tree, 'empty'), '')
  await writeFile(join(tree, 'sub dir', "b c+d&e=(1)'.txt"), 'hard name\n')
  await writeFile(join(tree, 'big.bin'), randomBytes(12 * MiB + 17))
  const server = await startServer(directory)
  // No proxy, no certificate, no configuration of whoever runs this.
  const env = {
    PATH: '/usr/local/bin:/usr/bin:/bin',
    HOME: directory,
    LC_ALL: 'C.UTF-8',
    AWS_ACCESS_KEY_ID: accessKey,
    AWS_SECRET_ACCESS_KEY: secretKey,
    AWS_DEFAULT_REGION: 'us-east-1',
    AWS_EC2_METADATA_DISABLED: 'true',
    S3_ENDPOINT: server.endpoint,
  }
  const run = async (file, args, { input, code = 0 } = {}) => {
    const child = spawn(file, args, {
      cwd: directory,
      env,
      signal,
      killSignal: 'SIGKILL',
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    // Who needs no input may end before it is written.
    child.stdin.on('error', () => undefined)
    child.stdin.end(input ?? '')
    const [out, log, [ended]] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, 'close'),
    ])
    assert.equal(
      ended,
      code,
      `${file} ${args.join(' ')} ended with ${ended}\n${out}${log}`,
    )
    return out + log
  }
  return {
    directory,
    tree,
    endpoint: server.endpoint,
    run,
    path: (...names) => join(directory, ...names),
    write: (name, bytes) => writeFile(join(directory, name), bytes),
    sameTree,
    sameFile,
    async close() {
      server.child.kill('SIGTERM')
      await server.ended
      await rm(directory, { recursive: true, force: true })
    },
  }
}

async function startServer(directory) {
  const child = spawn(process.execPath, [command, 'serve', 'objects'], {
    cwd: directory,
    env: {
      ...process.env,
      PAWL_SERVE_ACCESS_KEY: accessKey,
      PAWL_SERVE_SECRET_KEY: secretKey,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(child, 'close')
  let said = ''
  for await (const chunk of child.stdout.iterator({ destroyOnReturn: false })) {
    said += chunk
    const [endpoint] = /http:\/\/127\.0\.0\.1:\d+/.exec(said) ?? []
    if (endpoint !== undefined) return { child, ended, endpoint }
  }
  throw new Error('pawl serve did not start')
}

export async function sameFile(one, other) {
  const [a, b] = await Promise.all([readFile(one), readFile(other)])
  assert.ok(a.equals(b), `${one} and ${other} differ`)
}

/** The same files with the same bytes in two folders. */
export async function sameTree(one, other) {
  const [a, b] = [await filesOf(one), await filesOf(other)]
  assert.deepEqual(a, b)
  for (const name of a) await sameFile(join(one, name), join(other, name))
}

async function filesOf(folder) {
  const entries = await readdir(folder, {
    recursive: true,
    withFileTypes: true,
  })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .map((path) => path.slice(folder.length))
    .toSorted()
}
