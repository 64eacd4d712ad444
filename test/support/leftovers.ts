/**
 * What a finished upload may not leave behind in its process. Descriptors are
 * those of Linux; elsewhere they are not counted.
 */
import { subscribe } from 'node:diagnostics_channel'
import { readdir, readlink } from 'node:fs/promises'
import type { Socket } from 'node:net'
import type { ResumableUploadStream } from '../../lib/index.js'

export interface Leftovers {
  /** Sockets, timers and requests that keep a process alive, by kind. */
  active: Record<string, number>
  /** Open files and sockets. */
  descriptors: string[]
}

export async function leftovers(): Promise<Leftovers> {
  const active: Record<string, number> = {}
  for (const name of process.getActiveResourcesInfo()) {
    active[name] = (active[name] ?? 0) + 1
  }
  return { active, descriptors: await openDescriptors() }
}

/** What there is more than before, when it has had time to go. */
export async function leftoversBeyond(
  before: Leftovers,
): Promise<{ descriptors: string[]; timers: number }> {
  const end = performance.now() + 10_000
  for (;;) {
    const { active, descriptors } = await leftovers()
    const more = descriptors.filter((one) => !before.descriptors.includes(one))
    const timers = (active['Timeout'] ?? 0) - (before.active['Timeout'] ?? 0)
    if ((more.length === 0 && timers <= 0) || performance.now() > end) {
      return { descriptors: more, timers: Math.max(0, timers) }
    }
    await new Promise((resolve) => {
      setImmediate(resolve)
    })
  }
}

async function openDescriptors(): Promise<string[]> {
  const names = await readdir('/proc/self/fd').catch(() => [])
  const targets = await Promise.all(
    names.map((name) => readlink(`/proc/self/fd/${name}`).catch(() => '')),
  )
  return targets.filter((target) => /^\/|^socket:/.test(target)).toSorted()
}

/** Rejections that nobody handled and warnings, while `work` runs. */
export async function complaintsDuring(
  work: () => Promise<void>,
): Promise<unknown[]> {
  const complaints: unknown[] = []
  const note = (complaint: unknown): void => void complaints.push(complaint)
  process.on('unhandledRejection', note)
  process.on('warning', note)
  try {
    await work()
    // Unhandled rejections are told after the microtasks.
    await new Promise((resolve) => {
      setImmediate(resolve)
    })
  } finally {
    process.off('unhandledRejection', note)
    process.off('warning', note)
  }
  return complaints
}

/** Resolves to ms until the upload has settled; rejects when it seems to hang. */
export async function settles(upload: ResumableUploadStream): Promise<number> {
  const start = performance.now()
  await unlessItHangs(settled(upload))
  return performance.now() - start
}

/** Resolves when its result is there, and the stream has closed. */
export async function settled(upload: ResumableUploadStream): Promise<void> {
  const closed = new Promise<void>((resolve) => {
    if (upload.closed) resolve()
    else upload.once('close', resolve)
  })
  await Promise.all([upload.result.catch(() => undefined), closed])
}

/** No bound on how long work may take: the slowest machine is done long before. */
const hang = 120_000

/** Rejects when work does not end at all. */
export async function unlessItHangs<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const never = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(
      () => reject(new Error(`not settled within ${hang} ms`)),
      hang,
    )
  })
  try {
    return await Promise.race([work, never])
  } finally {
    clearTimeout(timer)
  }
}

const sockets = new Set<Socket>()

subscribe('net.client.socket', (message) => {
  const { socket } = message as { socket: Socket }
  sockets.add(socket)
  socket.once('close', () => sockets.delete(socket))
})

/** Connections of this process to a port that have not been destroyed. */
export function connectionsTo(port: number): number {
  return [...sockets].filter(
    (socket) => !socket.destroyed && socket.remotePort === port,
  ).length
}
