/**
 * Two machines, as far as one has them: each a network namespace and a directory of
 * its own. They reach nothing but what is let through to them at one address.
 */
import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdir } from 'node:fs/promises'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { join } from 'node:path'
import type { Test } from 'tap'
import { temporaryDirectory } from '../../support/dev-store.js'
import type { Whereabouts } from './leased-child.js'

export interface Machines {
  /** Whether they have a network of their own; else they are processes of this one. */
  readonly areApart: boolean
  readonly all: readonly Whereabouts[]
  /** A URL of this machine, as they reach what it leads to. */
  let(url: string): Promise<string>
}

/** Gone with the test. */
export async function startMachines(t: Test, count = 2): Promise<Machines> {
  const directory = await temporaryDirectory(t)
  const id = randomBytes(3).toString('hex')
  const subnet = `10.213.${randomBytes(1).readUInt8()}`
  const bridge = `pb${id}`
  const names = Array.from(
    { length: count },
    (_, index) => `pawl-${id}-${index}`,
  )
  t.teardown(() => {
    for (const name of names) run('ip netns del', name)
    run('ip link del', bridge)
  })
  const areApart =
    run('ip link add', `${bridge} type bridge`) &&
    run('ip addr add', `${subnet}.1/24 dev ${bridge}`) &&
    run('ip link set', `${bridge} up`) &&
    names.every((name, index) => {
      const [outer, inner] = [`po${id}${index}`, `pi${id}${index}`]
      const within = `ip -n ${name}`
      return (
        run('ip netns add', name) &&
        run(
          'ip link add',
          `${outer} type veth peer name ${inner} netns ${name}`,
        ) &&
        run('ip link set', `${outer} master ${bridge} up`) &&
        run(within, `addr add ${subnet}.${index + 2}/24 dev ${inner}`) &&
        run(within, `link set ${inner} up`)
      )
    })
  const all: Whereabouts[] = []
  for (const name of names) {
    const own = join(directory, name)
    await mkdir(own)
    const words = areApart ? ['ip', 'netns', 'exec', name] : []
    all.push({ words, directory: own })
  }
  return {
    areApart,
    all,
    let: async (url) => (areApart ? letThrough(t, url, `${subnet}.1`) : url),
  }
}

function run(command: string, more: string): boolean {
  const [name = '', ...words] = [...command.split(' '), ...more.split(' ')]
  return spawnSync(name, words, { stdio: 'ignore' }).status === 0
}

/** What listens on loopback, at another address too. */
async function letThrough(t: Test, url: string, host: string): Promise<string> {
  const to = new URL(url)
  const port = Number(to.port)
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    const onward = connect(port, '127.0.0.1')
    for (const one of [socket, onward]) {
      sockets.add(one)
      one.on('error', () => undefined)
      one.on('close', () => {
        sockets.delete(one)
        socket.destroy()
        onward.destroy()
      })
    }
    socket.pipe(onward).pipe(socket)
  })
  server.listen(0, host)
  await once(server, 'listening')
  t.teardown(async () => {
    for (const socket of sockets) socket.destroy()
    server.close()
    await once(server, 'close')
  })
  to.hostname = host
  to.port = String((server.address() as AddressInfo).port)
  return to.href.replace(/\/$/, '')
}
