/** The HTTP side of the real server under test, which can be taken away. */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { ResumableUploadStream } from '../../lib/index.js'

const run = promisify(execFile)

/** Rejects when the run is not one of `npm run test:servers`. */
async function script(command: string): Promise<void> {
  const name = process.env['S3_SERVER']
  const directory = process.env['S3_SERVER_DIR']
  if (name === undefined || directory === undefined) {
    throw new Error('this test needs a server of its own: npm run test:servers')
  }
  const path = fileURLToPath(new URL(name, import.meta.url))
  await run(path, [command, directory])
}

export const gateway = {
  /** Requests under way are cut. */
  kill: () => script('kill-http'),
  stop: () => script('stop-http'),
  /** Resolves when it answers again. Nothing is started that runs. */
  start: () => script('start-http'),
}

/** The gateway is killed when so many parts are stored. */
export interface Outage {
  afterParts: number
  /** The source gives no byte beyond, before the gateway is gone. */
  holdAt: number
}

interface Step extends Outage {
  kill: () => void
  isDown: Promise<void>
  isOver: Promise<void> | undefined
}

/**
 * Kills the gateway at each outage, in order, and starts it again when the
 * upload has noticed; with `stays` it is left dead. Returns the source that the
 * upload is to be given, which waits so that no outage comes too late.
 */
export function withOutages(
  upload: ResumableUploadStream,
  source: AsyncIterable<Buffer>,
  outages: readonly Outage[],
  { stays = false } = {},
): { source: AsyncIterable<Buffer>; over: () => Promise<void> } {
  const steps = outages.map((outage): Step => {
    let kill = (): void => undefined
    const isDown = new Promise<void>((resolve) => {
      kill = () => resolve(gateway.kill())
    })
    return { ...outage, kill, isDown, isOver: undefined }
  })
  let parts = 0
  upload.on('part', () => {
    parts++
    for (const { afterParts, kill } of steps) {
      if (afterParts === parts) kill()
    }
  })
  upload.on('retry', () => {
    const step = steps.find(({ isOver }) => isOver === undefined)
    if (stays || step === undefined || parts < step.afterParts) return
    step.isOver = step.isDown.then(gateway.start)
  })
  async function* held() {
    let at = 0
    for await (const chunk of source) {
      for (const { holdAt, isDown } of steps) {
        if (at < holdAt && at + chunk.length >= holdAt) await isDown
      }
      at += chunk.length
      yield chunk
    }
  }
  return {
    source: held(),
    over: async () => {
      for (const { isDown, isOver } of steps) {
        await isDown
        await isOver
      }
    },
  }
}
