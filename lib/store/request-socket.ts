/**
 * Which socket a request goes out on. undici does not say it to a handler, but
 * publishes it on a documented diagnostics channel in the same tick, right
 * after `onRequestStart`.
 */
import diagnostics from 'node:diagnostics_channel'
import { Socket } from 'node:net'

type Claim = { path: string; take: (socket: Socket) => void }

let claim: Claim | undefined
let subscribed = false

/**
 * To be called in `onRequestStart`: `take` gets the socket before the first
 * byte is written, or is never called (HTTP/2, a dispatcher without sockets).
 */
export function claimSocket(path: string, take: (socket: Socket) => void) {
  if (!subscribed) {
    diagnostics.subscribe('undici:client:sendHeaders', onSendHeaders)
    subscribed = true
  }
  const mine = { path, take }
  claim = mine
  queueMicrotask(() => {
    if (claim === mine) claim = undefined
  })
}

/**
 * Bytes that have left this process by a socket. What the system has not taken
 * of a large write is known to the innermost handle only, below TLS; Node counts
 * it there for its own socket time-outs (`writeQueueSize` in `net`), which are of
 * no use here, as reading refreshes them too.
 */
export function bytesLeft(socket: Socket): number {
  let handle = get(socket, '_handle')
  for (
    let inner = get(handle, '_parent');
    inner !== undefined && inner !== null;
    inner = get(handle, '_parent')
  ) {
    handle = inner
  }
  const given = get(handle, 'bytesWritten')
  const waiting = get(handle, 'writeQueueSize')
  return typeof given === 'number' && typeof waiting === 'number'
    ? given - waiting
    : socket.bytesWritten - socket.writableLength
}

function onSendHeaders(message: unknown): void {
  const current = claim
  if (current === undefined) return
  if (get(get(message, 'request'), 'path') !== current.path) return
  claim = undefined
  const socket = get(message, 'socket')
  // An HTTP/2 socket is shared by other requests and outlives this one.
  if (socket instanceof Socket && get(socket, 'alpnProtocol') !== 'h2') {
    current.take(socket)
  }
}

function get(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null
    ? Reflect.get(value, name)
    : undefined
}
