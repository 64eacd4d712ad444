/**
 * A line, as a server sees it: what each connection carries, what all carry
 * together, and a round trip, which a new connection and every answer take.
 */

/** ms by which a timer that rings late may be made good. */
const lateness = 5

/** `line`: `{ connection, total, roundTrip }`, in bytes a second and ms. */
export function createLine({ connection, total, roundTrip }) {
  let allFree = 0
  return {
    /** Hands over what a socket brings, as fast as the line would. */
    read(socket, take) {
      let free = 0
      socket.pause()
      setTimeout(() => socket.resume(), roundTrip)
      socket.on('data', (chunk) => {
        take(chunk)
        const now = performance.now()
        const from = now - lateness
        free = Math.max(free, from) + (chunk.length / connection) * 1000
        allFree = Math.max(allFree, from) + (chunk.length / total) * 1000
        const wait = Math.max(free, allFree) - now
        if (wait < 1) return
        socket.pause()
        setTimeout(() => socket.resume(), wait)
      })
    },
    /** What is answered is there later. */
    answer: (write) => setTimeout(() => write(), roundTrip),
  }
}

/** No line at all. */
export const loopback = {
  read: (socket, take) => socket.on('data', take),
  answer: (write) => write(),
}
