/** What every place for a log has to do, as cases for any test runner. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { startDevServer } from '../dev-server/index.js'
import {
  createResumableUploadStream,
  type Checkpoint,
  type UploadStreamOptions,
} from '../index.js'
import {
  noise,
  refused,
  sameBytes,
  type ContractCase,
} from './contract-case.js'

/** How the contract gets at a kind of {@link Checkpoint}. */
export interface CheckpointSubject {
  /**
   * The log of that name, as a run makes it that knows nothing of earlier ones.
   * Called again for each run; a kind that only one process knows, such as
   * `memoryCheckpoint()`, gives the same object for the same name.
   */
  checkpoint(this: void, log: string): Checkpoint | Promise<Checkpoint>
  /** What is kept under the name that `setAside()` has given. Absent: not looked at. */
  setAside?(this: void, name: string): Uint8Array | Promise<Uint8Array>
  /**
   * Takes the hold from a log without a call of `close()`, as the death of its
   * process does: connections are cut, leases run out. Absent: not tried.
   */
  kill?(this: void, checkpoint: Checkpoint): void | Promise<void>
}

/**
 * The contract of a {@link Checkpoint}: a case for each sentence of it, and one
 * upload that is suspended and goes on. Names of logs are new in each case.
 *
 * @example
 * import { test } from 'node:test'
 * import { checkpointContract } from 'pawl/testing'
 *
 * const checkpoint = (log: string) => databaseCheckpoint(table, log)
 * for (const { name, run } of checkpointContract({ checkpoint })) test(name, run)
 */
export function checkpointContract(subject: CheckpointSubject): ContractCase[] {
  const contract = new CheckpointContract(subject)
  return contract.cases()
}

/** Logs of one process, which another run of the tests may find again. */
let logs = 0

class CheckpointContract {
  readonly #subject: CheckpointSubject

  constructor(subject: CheckpointSubject) {
    this.#subject = subject
  }

  cases(): ContractCase[] {
    const { kill, setAside } = this.#subject
    return [
      this.#case('a new log is empty', async (log) => {
        const one = await this.#opened(log)
        assert.equal(one.bytes.length, 0, 'bytes in a new log')
        await one.checkpoint.close()
      }),
      this.#case('what was appended is found in its order', async (log) => {
        const { checkpoint } = await this.#opened(log)
        const blocks = [
          noise(1),
          allBytes(),
          noise(70_000),
          text('\n'),
          noise(3),
        ]
        for (const block of blocks) await checkpoint.append(block)
        await checkpoint.close()
        await this.#holds(log, Buffer.concat(blocks))
      }),
      this.#case('later runs append behind what is there', async (log) => {
        const expected: Uint8Array[] = []
        for (let run = 0; run < 4; run++) {
          const { checkpoint, bytes } = await this.#opened(log)
          sameBytes(bytes, Buffer.concat(expected), `run ${run + 1}`)
          for (const block of [noise(run), noise(9, run + 2)]) {
            await checkpoint.append(block)
            expected.push(block)
          }
          await checkpoint.close()
        }
      }),
      this.#case('appended bytes may be changed afterwards', async (log) => {
        const { checkpoint } = await this.#opened(log)
        const block = noise(100)
        await checkpoint.append(block)
        block.fill(0)
        await checkpoint.append(noise(5))
        await checkpoint.close()
        await this.#holds(log, Buffer.concat([noise(100), noise(5)]))
      }),
      this.#case('bytes that open() gave may be changed', async (log) => {
        await this.#filled(log, noise(100))
        const { checkpoint, bytes } = await this.#opened(log)
        bytes.fill(0)
        await checkpoint.close()
        await this.#holds(log, noise(100))
      }),
      this.#case('two logs have nothing in common', async (log) => {
        await this.#filled(log, text('one'))
        await this.#filled(`${log}-other`, text('two'))
        const one = await this.#opened(log)
        const other = await this.#opened(`${log}-other`)
        sameBytes(one.bytes, text('one'), log)
        sameBytes(other.bytes, text('two'), `${log}-other`)
        await one.checkpoint.remove()
        await one.checkpoint.close()
        await other.checkpoint.close()
        await this.#holds(`${log}-other`, text('two'))
      }),
      this.#case('a log is held by one run at a time', async (log) => {
        const { checkpoint } = await this.#opened(log)
        await checkpoint.append(text('one'))
        await this.#isHeld(log)
        // Whoever was refused holds nothing that its close() could let go of.
        await this.#isHeld(log)
        await checkpoint.append(text('two'))
        await checkpoint.close()
        await this.#holds(log, text('onetwo'))
      }),
      this.#case('of runs that open it at once one has it', async (log) => {
        const all = await Promise.all(
          [1, 2, 3, 4].map(async () => {
            const checkpoint = await this.#subject.checkpoint(log)
            const opening = checkpoint.open()
            const how = await opening.then(
              () => 'opened',
              () => 'refused',
            )
            if (how === 'refused') {
              const what = 'open() beside another'
              await refused(opening, what, 'PAWL_CHECKPOINT_LOCKED')
            }
            return { checkpoint, how }
          }),
        )
        const held = all.filter(({ how }) => how === 'opened')
        assert.equal(held.length, 1, `${held.length} runs hold one log`)
        await held[0]?.checkpoint.append(text('one'))
        await held[0]?.checkpoint.close()
        await this.#holds(log, text('one'))
      }),
      this.#case('close() may be called again, and first', async (log) => {
        const unopened = await this.#subject.checkpoint(log)
        await unopened.close()
        const { checkpoint } = await this.#opened(log)
        await checkpoint.append(text('one'))
        await checkpoint.close()
        await checkpoint.close()
        await this.#holds(log, text('one'))
      }),
      this.#case('a log that is not open takes nothing', async (log) => {
        const { checkpoint } = await this.#opened(log)
        await checkpoint.append(text('one'))
        await checkpoint.close()
        const late = text('late')
        await refused(checkpoint.append(late), 'append() after close()')
        await refused(checkpoint.setAside(), 'setAside() after close()')
        await refused(checkpoint.remove(), 'remove() after close()')
        await this.#holds(log, text('one'))
      }),
      this.#case('a log that is removed is gone, and free', async (log) => {
        const { checkpoint } = await this.#opened(log)
        await checkpoint.append(noise(100))
        const isRemoved = await checkpoint.remove()
        await checkpoint.close()
        const next = await this.#opened(log)
        if (isRemoved) assert.equal(next.bytes.length, 0, 'bytes in it')
        else sameBytes(next.bytes, noise(100), 'what could not be removed')
        await next.checkpoint.append(text('new'))
        await next.checkpoint.close()
      }),
      this.#case(
        'a log that is emptied stays held, and begins anew',
        async (log) => {
          await this.#filled(log, noise(100))
          const { checkpoint } = await this.#opened(log)
          if (checkpoint.empty !== undefined) {
            await checkpoint.empty()
            await this.#isHeld(log)
            await checkpoint.append(text('new'))
            await checkpoint.append(text('er'))
          }
          const isEmptied = checkpoint.empty !== undefined
          await checkpoint.close()
          await this.#holds(log, isEmptied ? text('newer') : noise(100))
        },
      ),
      this.#case('what is set aside leaves an empty log', async (log) => {
        await this.#filled(log, noise(100))
        const { checkpoint } = await this.#opened(log)
        const name = await checkpoint.setAside()
        assert.notEqual(name, checkpoint.name, 'the name that it is kept under')
        await this.#isHeld(log)
        await checkpoint.append(text('new'))
        await checkpoint.close()
        await this.#holds(log, text('new'))
        if (setAside === undefined) return
        sameBytes(await setAside(name), noise(100), `kept as ${name}`)
      }),
      ...(kill === undefined ? [] : this.#killed(kill)),
      this.#case('an upload goes on from it', (log) => this.#goesOn(log)),
    ]
  }

  #killed(kill: NonNullable<CheckpointSubject['kill']>): ContractCase[] {
    return [
      this.#case('what a killed run appended is there', async (log) => {
        const { checkpoint } = await this.#opened(log)
        await checkpoint.append(text('one'))
        await checkpoint.append(text('two'))
        await kill(checkpoint)
        await this.#holds(log, text('onetwo'))
      }),
      this.#case('a run that lost its hold takes nothing', async (log) => {
        const lost = await this.#opened(log)
        await lost.checkpoint.append(text('one'))
        await kill(lost.checkpoint)
        const next = await this.#opened(log)
        await next.checkpoint.append(text('two'))
        await refused(
          lost.checkpoint.append(text('never')),
          'append() by a run that another has followed',
        )
        await next.checkpoint.append(text('three'))
        await next.checkpoint.close()
        await lost.checkpoint.close()
        await this.#holds(log, text('onetwothree'))
      }),
    ]
  }

  #case(name: string, body: (log: string) => Promise<void>): ContractCase {
    const run = (): Promise<void> =>
      body(`pawl-contract-${process.pid}-${(logs += 1)}`)
    return { name, run }
  }

  async #opened(log: string) {
    const checkpoint = await this.#subject.checkpoint(log)
    assert.equal(typeof checkpoint.name, 'string', 'its name')
    return { checkpoint, bytes: await checkpoint.open() }
  }

  async #filled(log: string, bytes: Uint8Array): Promise<void> {
    const { checkpoint } = await this.#opened(log)
    await checkpoint.append(bytes)
    await checkpoint.close()
  }

  async #holds(log: string, expected: Uint8Array): Promise<void> {
    const { checkpoint, bytes } = await this.#opened(log)
    await checkpoint.close()
    sameBytes(bytes, expected, 'what the next run finds')
  }

  async #isHeld(log: string): Promise<void> {
    const other = await this.#subject.checkpoint(log)
    const { resumable } = await refused(
      other.open(),
      'open() of a log that another run holds',
      'PAWL_CHECKPOINT_LOCKED',
    )
    assert.ok(resumable, 'PAWL_CHECKPOINT_LOCKED is resumable')
  }

  async #goesOn(log: string): Promise<void> {
    const server = await startDevServer()
    const store = server.store('examplebucket')
    try {
      const bytes = noise(5 * partSize + 7)
      const options = {
        store,
        key: 'object',
        partSize,
        concurrency: 1,
      }
      await suspend(
        { ...options, checkpoint: await this.#subject.checkpoint(log) },
        bytes,
      )
      const upload = createResumableUploadStream({
        ...options,
        checkpoint: await this.#subject.checkpoint(log),
      })
      await pipeline(Readable.from([bytes]), upload)
      const { partsReused, resumed, verified } = await upload.result
      assert.deepEqual(
        { partsReused, resumed, verified },
        { partsReused: 3, resumed: true, verified: 'crc64' },
      )
      await this.#holds(log, new Uint8Array())
    } finally {
      await store.close()
      await server.close()
    }
  }
}

/** Bytes: the least that OSS takes. */
const partSize = 100 * 1024

/** Stores three parts, and no more. */
async function suspend(
  options: UploadStreamOptions,
  bytes: Uint8Array,
): Promise<void> {
  const upload = createResumableUploadStream(options)
  let stored = 0
  upload.on('part', () => {
    if ((stored += 1) === 3) upload.destroy()
  })
  const closed = once(upload, 'close')
  upload.once('error', () => undefined)
  upload.write(bytes)
  await closed.catch(() => undefined)
  await refused(upload.result, 'an upload that is stopped', 'PAWL_SUSPENDED')
}

function text(of: string): Uint8Array {
  return new TextEncoder().encode(of)
}

function allBytes(): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, byte) => byte)
}
