/** Every sink keeps the contract, and a case finds each way to break it. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import {
  fileCheckpoint,
  memoryCheckpoint,
  UploadError,
  type Checkpoint,
} from '../../lib/index.js'
import {
  checkpointContract,
  type CheckpointSubject,
} from '../../lib/testing/index.js'
import { temporaryDirectory } from '../support/dev-store.js'

/** One memory of the process, as another run would find it. */
function inMemory(): CheckpointSubject {
  const logs = new Map<string, Checkpoint>()
  return {
    checkpoint(log) {
      const found = logs.get(log) ?? memoryCheckpoint()
      logs.set(log, found)
      return found
    },
  }
}

await t.test('a log in memory', async (t) => {
  const cases = checkpointContract(inMemory())
  t.ok(cases.length >= 13)
  for (const { name, run } of cases) await t.test(name, run)
})

await t.test('a log in a file', async (t) => {
  const directory = await temporaryDirectory(t)
  const cases = checkpointContract({
    checkpoint: (log) => fileCheckpoint(join(directory, log)),
    setAside: (name) => readFile(name),
  })
  for (const { name, run } of cases) await t.test(name, run)
})

/** What a sink keeps: of all its runs, by the name of the log. */
class Shelf {
  readonly logs = new Map<string, Uint8Array[]>()
  readonly holders = new Map<string, object>()
}

/** A sink that is right, but for what a fault replaces. */
class PlainSink implements Checkpoint {
  readonly name: string
  readonly shelf: Shelf
  isOpen = false

  constructor(shelf: Shelf, log: string) {
    this.shelf = shelf
    this.name = log
  }

  get blocks(): Uint8Array[] {
    return this.shelf.logs.get(this.name) ?? []
  }

  set blocks(blocks: Uint8Array[]) {
    this.shelf.logs.set(this.name, blocks)
  }

  async open(): Promise<Uint8Array> {
    if (this.shelf.holders.has(this.name)) {
      throw new UploadError('PAWL_CHECKPOINT_LOCKED', 'held', {
        resumable: true,
      })
    }
    this.hold()
    return Buffer.concat(this.blocks)
  }

  hold(): void {
    this.shelf.holders.set(this.name, this)
    this.isOpen = true
  }

  mustBeOpen(): void {
    if (this.isOpen && this.shelf.holders.get(this.name) === this) return
    throw new UploadError('PAWL_CHECKPOINT_LOST', 'not held')
  }

  async append(bytes: Uint8Array): Promise<void> {
    this.mustBeOpen()
    this.blocks = [...this.blocks, Uint8Array.from(bytes)]
  }

  async setAside(): Promise<string> {
    this.mustBeOpen()
    const aside = `${this.name}.damaged`
    this.shelf.logs.set(aside, this.blocks)
    this.blocks = []
    return aside
  }

  async remove(): Promise<boolean> {
    this.mustBeOpen()
    this.blocks = []
    await this.close()
    return true
  }

  async close(): Promise<void> {
    if (this.shelf.holders.get(this.name) === this) {
      this.shelf.holders.delete(this.name)
    }
    this.isOpen = false
  }
}

type SinkClass = new (shelf: Shelf, log: string) => PlainSink

function subjectOf(Sink: SinkClass): CheckpointSubject {
  const shelf = new Shelf()
  return {
    checkpoint: (log) => new Sink(shelf, log),
    setAside: (name) => Buffer.concat(shelf.logs.get(name) ?? []),
    kill: ({ name }) => void shelf.holders.delete(name),
  }
}

await t.test('a sink that is right passes', async (t) => {
  for (const { name, run } of checkpointContract(subjectOf(PlainSink))) {
    await t.test(name, run)
  }
})

const faults: [string, SinkClass, string[]][] = [
  [
    'finds bytes in a new log',
    class extends PlainSink {
      override get blocks() {
        return this.shelf.logs.get(this.name) ?? [Buffer.from('#')]
      }
      override set blocks(blocks: Uint8Array[]) {
        this.shelf.logs.set(this.name, blocks)
      }
    },
    ['a new log is empty'],
  ],
  [
    'writes new bytes in front',
    class extends PlainSink {
      override async append(bytes: Uint8Array) {
        this.mustBeOpen()
        this.blocks = [Uint8Array.from(bytes), ...this.blocks]
      }
    },
    ['what was appended is found in its order', 'an upload goes on from it'],
  ],
  [
    'keeps text',
    class extends PlainSink {
      override async append(bytes: Uint8Array) {
        await super.append(Buffer.from(Buffer.from(bytes).toString('utf8')))
      }
    },
    ['what was appended is found in its order'],
  ],
  [
    'begins anew in every run',
    class extends PlainSink {
      override hold() {
        super.hold()
        this.blocks = []
      }
    },
    ['later runs append behind what is there'],
  ],
  [
    'keeps the memory of its caller',
    class extends PlainSink {
      override async append(bytes: Uint8Array) {
        this.mustBeOpen()
        this.blocks = [...this.blocks, bytes]
      }
    },
    ['appended bytes may be changed afterwards'],
  ],
  [
    'gives its own memory away',
    class extends PlainSink {
      override async open() {
        await super.open()
        const whole = Buffer.concat(this.blocks)
        this.blocks = [whole]
        return whole
      }
    },
    ['bytes that open() gave may be changed'],
  ],
  [
    'has one log for all names',
    class extends PlainSink {
      constructor(shelf: Shelf, log: string) {
        super(shelf, log.replace(/-other$/, ''))
      }
    },
    ['two logs have nothing in common'],
  ],
  [
    'lets everybody in',
    class extends PlainSink {
      override async open() {
        this.hold()
        return Buffer.concat(this.blocks)
      }
    },
    ['a log is held by one run at a time'],
  ],
  [
    'says something else when it is held',
    class extends PlainSink {
      override async open() {
        if (this.shelf.holders.has(this.name)) throw new Error('busy')
        return super.open()
      }
    },
    ['a log is held by one run at a time'],
  ],
  [
    'lets go of the hold of another',
    class extends PlainSink {
      override async open() {
        try {
          return await super.open()
        } catch (error) {
          this.shelf.holders.delete(this.name)
          throw error
        }
      }
    },
    ['a log is held by one run at a time'],
  ],
  [
    'looks first and takes its hold later',
    class extends PlainSink {
      override async open() {
        const isFree = !this.shelf.holders.has(this.name)
        await new Promise<void>((resolve) => {
          setImmediate(resolve)
        })
        if (isFree) this.hold()
        return isFree ? Buffer.concat(this.blocks) : super.open()
      }
    },
    ['of runs that open it at once one has it'],
  ],
  [
    'is closed once',
    class extends PlainSink {
      override async close() {
        if (!this.isOpen) throw new Error('closed already')
        await super.close()
      }
    },
    ['close() may be called again, and first'],
  ],
  [
    'writes when it is closed',
    class extends PlainSink {
      override mustBeOpen() {
        return undefined
      }
    },
    ['a log that is not open takes nothing'],
  ],
  [
    'says that it is removed',
    class extends PlainSink {
      override async remove() {
        this.mustBeOpen()
        await this.close()
        return true
      }
    },
    ['a log that is removed is gone, and free', 'an upload goes on from it'],
  ],
  [
    'holds what it has removed',
    class extends PlainSink {
      override async remove() {
        this.mustBeOpen()
        this.blocks = []
        this.isOpen = false
        return true
      }
      override async close() {
        if (this.isOpen) await super.close()
      }
    },
    ['a log that is removed is gone, and free'],
  ],
  [
    'throws away what it sets aside',
    class extends PlainSink {
      override async setAside() {
        this.mustBeOpen()
        this.blocks = []
        return `${this.name}.damaged`
      }
    },
    ['what is set aside leaves an empty log'],
  ],
  [
    'lets go while it sets aside',
    class extends PlainSink {
      override async setAside() {
        const aside = await super.setAside()
        this.shelf.holders.delete(this.name)
        return aside
      }
    },
    ['what is set aside leaves an empty log'],
  ],
  [
    'writes at its end',
    class extends PlainSink {
      #waiting: Uint8Array[] = []
      override async append(bytes: Uint8Array) {
        this.mustBeOpen()
        this.#waiting.push(Uint8Array.from(bytes))
      }
      override async close() {
        if (this.isOpen) this.blocks = [...this.blocks, ...this.#waiting]
        this.#waiting = []
        await super.close()
      }
    },
    ['what a killed run appended is there'],
  ],
  [
    'does not notice that its hold is lost',
    class extends PlainSink {
      override mustBeOpen() {
        if (!this.isOpen) throw new UploadError('PAWL_INVALID_STATE', 'closed')
      }
    },
    ['a run that lost its hold takes nothing'],
  ],
]

for (const [what, Sink, expected] of faults) {
  await t.test(`a sink that ${what} is found`, async (t) => {
    const failed: string[] = []
    const quick = checkpointContract(subjectOf(Sink)).filter(
      // What is about bytes alone needs no server to be found.
      ({ name }) => expected.includes(name) || !name.startsWith('an upload'),
    )
    for (const { name, run } of quick) {
      await run().catch(() => failed.push(name))
    }
    for (const name of expected) t.ok(failed.includes(name), name)
  })
}
