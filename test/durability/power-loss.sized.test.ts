/**
 * The power fails at every step, before and after each call of the disk and of
 * the server: what was not synced is gone, a name that was not synced is not
 * there, one that was removed is there again. The next run makes the object of
 * the source's bytes, and sends nothing again that the server has.
 *
 * The first tier does so at the first of each kind of step, the others at every one.
 */
import t from 'tap'
import type { Test } from 'tap'
import { FileCheckpoint } from '../../lib/checkpoint/file-checkpoint.js'
import { platformLocker } from '../../lib/checkpoint/lock.js'
import { BrokenDisk } from '../support/broken-disk.js'
import { noise } from '../support/dev-store.js'
import {
  part,
  send,
  smallUploads,
  type SmallUploads,
} from '../support/small-upload.js'
import { diskWithSteps, storeWithSteps } from '../support/steps.js'
import { sized } from '../support/tier.js'
import { goOn, mustBe, suspendAfter, suspendInComplete } from './next-run.js'

interface Scenario {
  bytes: Buffer
  concurrency: number
  discard?: boolean
  before?: (dev: SmallUploads, bytes: Buffer) => Promise<void>
}

const scenarios: Record<string, Scenario> = {
  'a new upload': { bytes: noise(3 * part + 5, 1), concurrency: 1 },
  'parts in flight': { bytes: noise(6 * part, 2), concurrency: 4 },
  'less than a part': { bytes: noise(9, 3), concurrency: 1 },
  'an upload that is gone on with': {
    bytes: noise(5 * part, 4),
    concurrency: 2,
    before: (dev, bytes) => suspendAfter(dev, bytes, 3),
  },
  'an object that is claimed': {
    bytes: noise(2 * part, 5),
    concurrency: 1,
    before: suspendInComplete,
  },
  'a discard': {
    bytes: noise(3 * part, 6),
    concurrency: 1,
    discard: true,
    before: (dev, bytes) => suspendAfter(dev, bytes, 2),
  },
}

const mostOfAStep = sized({ fast: 1, more: Infinity, long: Infinity })

for (const [name, scenario] of Object.entries(scenarios)) {
  await t.test(`the power fails at each step: ${name}`, async (t) => {
    const steps: string[] = []
    await play(t, scenario, (name) => {
      steps.push(name)
      return false
    })
    const seen = new Map<string, number>()
    for (const step of steps) {
      const occurrence = (seen.get(step) ?? 0) + 1
      seen.set(step, occurrence)
      if (occurrence > mostOfAStep) continue
      let left = occurrence
      await play(t, scenario, (name) => name === step && --left === 0)
    }
    t.ok(seen.has('before datasync') && seen.has('after datasync'))
    t.ok(seen.has('after unlink'), 'also after the removal of the log')
  })
}

/** One run that loses power at the step for which `isOff` is true, and the next. */
async function play(
  t: Test,
  { bytes, concurrency, discard = false, before }: Scenario,
  isOff: (name: string) => boolean,
): Promise<void> {
  const dev = await smallUploads(t)
  await before?.(dev, bytes)
  const disk = new BrokenDisk(dev.log)
  let died: string | undefined
  let off: Promise<void> | undefined
  const step = (name: string): void => {
    if (died !== undefined) throw new Error('there is no power')
    if (!isOff(name)) return
    died = name
    off = disk.powerOff()
    upload.destroy()
    throw new Error('the power fails')
  }
  const upload = dev.upload({
    concurrency,
    store: storeWithSteps(dev.store, step),
    checkpoint: new FileCheckpoint(
      dev.log,
      () => platformLocker(),
      diskWithSteps(disk, step),
    ),
  })
  upload.on('error', () => undefined)
  await (discard ? upload.discard() : send(upload, bytes)).catch(
    () => undefined,
  )
  await upload.result.catch(() => undefined)
  await off
  const what = died ?? 'no power loss'
  if (died !== undefined || discard) await goOn(t, dev, bytes, what)
  await mustBe(t, dev, bytes, what)
  await dev.server.close()
}
