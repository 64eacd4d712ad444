/**
 * A log in memory: an upload can be resumed within one process, and is
 * forgotten with it. The same object is given to each run.
 */
import { UploadError } from '../errors.js'
import type { Checkpoint } from './checkpoint.js'

/** Makes an empty log in memory. */
export function memoryCheckpoint(): Checkpoint {
  return new MemoryCheckpoint()
}

class MemoryCheckpoint implements Checkpoint {
  readonly name = 'the checkpoint in memory'
  #blocks: Uint8Array[] = []
  #isOpen = false
  #setAside = 0

  async open(): Promise<Uint8Array> {
    if (this.#isOpen) {
      throw new UploadError(
        'PAWL_CHECKPOINT_LOCKED',
        `${this.name} is held by another upload; wait until it has settled`,
        { resumable: true },
      )
    }
    this.#isOpen = true
    return Buffer.concat(this.#blocks)
  }

  async append(bytes: Uint8Array): Promise<void> {
    this.#mustBeOpen()
    this.#blocks.push(Uint8Array.from(bytes))
  }

  async setAside(): Promise<string> {
    this.#mustBeOpen()
    this.#blocks = []
    this.#setAside += 1
    return `${this.name}, damaged ${this.#setAside}`
  }

  async empty(): Promise<void> {
    this.#mustBeOpen()
    this.#blocks = []
  }

  async remove(): Promise<boolean> {
    this.#mustBeOpen()
    this.#blocks = []
    this.#isOpen = false
    return true
  }

  async close(): Promise<void> {
    this.#isOpen = false
  }

  #mustBeOpen(): void {
    if (this.#isOpen) return
    throw new UploadError('PAWL_INVALID_STATE', `${this.name} is not open`)
  }
}
