/** A service that a test starts in a directory of its own, and stops by its process ID. */
import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { connect, createServer, type AddressInfo } from 'node:net'
import type { Test } from 'tap'

export interface Engine {
  readonly port: number
  readonly pid: number
  /** SIGKILL: nothing that it had not written is written. */
  kill(): Promise<void>
  /** After `kill()`: the same data, the same port. */
  restart(): Promise<void>
  /** SIGSTOP and SIGCONT. */
  signal(signal: NodeJS.Signals): void
}

export interface EngineWords {
  command: string
  args: string[]
  port: number
  options?: SpawnOptions
  /** Resolves once it answers; rejects while it does not. */
  ask?: () => Promise<unknown>
  /** Its own log, shown when it does not start. */
  logFile?: string
}

/** A port that nobody listens on now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** Started when it resolves, and gone with the test. */
export async function startEngine(
  t: Test,
  { command, args, port, options = {}, ask, logFile }: EngineWords,
): Promise<Engine> {
  let child: ChildProcess | undefined
  const start = async (): Promise<void> => {
    const own = spawn(command, args, { stdio: 'ignore', ...options })
    child = own
    const ended = once(own, 'exit').then(async () => {
      const said =
        logFile === undefined
          ? ''
          : await readFile(logFile, 'utf8').catch(String)
      throw new Error(`${command} did not start: ${said.slice(-2000)}`)
    })
    ended.catch(() => undefined)
    await Promise.race([answering(ask ?? (() => reached(port))), ended])
  }
  const kill = async (signal: NodeJS.Signals): Promise<void> => {
    const own = child
    child = undefined
    if (own === undefined || own.exitCode !== null) return
    if (own.signalCode !== null) return
    const exited = once(own, 'exit')
    own.kill('SIGCONT')
    own.kill(signal)
    await exited
  }
  t.teardown(() => kill('SIGKILL'))
  await start()
  return {
    port,
    get pid() {
      return child?.pid ?? 0
    },
    kill: () => kill('SIGKILL'),
    restart: start,
    signal: (signal) => void child?.kill(signal),
  }
}

/** Asks until it is answered: what has just been started says that it is there. */
export async function answering(ask: () => Promise<unknown>): Promise<void> {
  for (;;) {
    const isThere = await ask().then(
      () => true,
      () => false,
    )
    if (isThere) return
    await new Promise((resolve) => {
      setTimeout(resolve, 20)
    })
  }
}

async function reached(port: number): Promise<void> {
  const socket = connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
  } finally {
    socket.destroy()
  }
}
