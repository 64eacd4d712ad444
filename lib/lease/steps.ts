/**
 * What a service has to do for a leased log, each as one atomic step.
 *
 * Every step but `open` first compares the token: it does nothing, and says
 * `taken`, when another one is there. Each may be repeated, and may even come twice
 * in any order, since its answer can be lost: what is done already is done.
 */

/** By which a hold is known; a new one for each `open()`. */
export interface Hold {
  /** 32 hex digits, random. */
  readonly token: string
  /** ms from each step that the hold is another run's to take. */
  readonly lease: number
}

export interface OpenedLog {
  bytes: Uint8Array
  /** ms that nobody had held it; undefined: not known. */
  freeFor: number | undefined
  /** Durable records may be lost, as by a failover. */
  canLose: boolean
}

/** `elsewhere`: the log is not of the length that it was to have. */
export type Outcome = 'done' | 'taken' | 'elsewhere'

export interface LeaseSteps {
  /** For texts. */
  readonly name: string
  /**
   * ms after which an answer counts as lost, for clients that wait for ever. Absent:
   * each of a step's requests ends by itself.
   */
  readonly timeout?: number
  /** Rejects with `PAWL_CHECKPOINT_LOCKED` while another hold's lease lasts. */
  open(hold: Hold): Promise<OpenedLog>
  /** What it says, whoever holds it; empty where there is none. Changes nothing. */
  peek(): Promise<Uint8Array>
  /** `done` also when these very bytes are there already, and the last. */
  append(hold: Hold, size: number, bytes: Uint8Array): Promise<Outcome>
  renew(hold: Hold): Promise<Outcome>
  /** Keeps the bytes under `aside`, and begins an empty log. */
  setAside(hold: Hold, aside: string): Promise<Outcome>
  remove(hold: Hold): Promise<Outcome>
  close(hold: Hold): Promise<Outcome>
}

/** The answer was lost, or never came: the step is repeated. */
export class Unheard extends Error {
  override readonly name = 'Unheard'
}
