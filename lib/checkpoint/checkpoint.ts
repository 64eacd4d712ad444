/**
 * Where an upload's log is kept. A sink deals in bytes only: what they mean is
 * the codec's business (`record.ts`, FORMAT.md).
 *
 * One upload opens it, appends, and either closes it (the upload can go on
 * later) or removes it (the object is complete). Calls are made one at a time,
 * but for `close()`: it may come while another call hangs, and is itself waited
 * for only as long as a suspension may take. What has a lock gives it back when that
 * call has settled, and not before: what it did later would be done to the log of the
 * run that has the lock by then. A call that is not answered within
 * `timeout.checkpoint` has failed; what is thrown and is no `UploadError` becomes the
 * `cause` of a `PAWL_CHECKPOINT_IO`.
 *
 * A *leased* sink is one whose hold somebody else may take over while this process
 * sleeps: a service that other machines reach. Each of its steps must be one
 * atomic step of that service which first compares who holds the log, and an
 * append must name the length that it expects; otherwise it rejects with
 * `PAWL_CHECKPOINT_LOST`. What is optional below is for such sinks; a file or
 * anything else with a lock that dies with its holder needs none of it.
 */
export interface Checkpoint {
  /** For texts and results; a path for files. */
  readonly name: string

  /**
   * Takes the exclusive hold of the log and returns all bytes in it, none for a
   * new one. Rejects with `PAWL_CHECKPOINT_LOCKED` when another run holds it, with
   * `retryAfter` (ms) where that is known.
   */
  open(): Promise<Uint8Array>

  /** Adds bytes at the end. They are durable when the promise resolves. */
  append(bytes: Uint8Array): Promise<void>

  /**
   * Keeps what is there under another name and starts an empty log; resolves to
   * that name. For a log that is recognised but has no valid header left.
   */
  setAside(): Promise<string>

  /**
   * Takes all bytes away and keeps the hold: the log is empty then, and what is
   * appended begins it. For one that says that everything in it is over. Without it
   * a log only grows until it is removed.
   */
  empty?(): Promise<void>

  /**
   * Ends the log for good and lets go of it. Resolves to false, and keeps its
   * hold until `close()`, when it could not be removed; that is not an error: the
   * upload says in it that it is over.
   */
  remove(): Promise<boolean>

  /** Lets go of the log and leaves it. Idempotent. */
  close(): Promise<void>

  /**
   * The hold is a lease. Before anything is completed, earlier uploads of the log
   * are then seen gone twice, ten seconds apart.
   */
  readonly isLeased?: true | undefined
  /**
   * Records that were durable may be lost, as by a failover to a server that lags
   * behind: then no earlier upload of the log is trusted never to have sent its
   * Complete. To be read after `open()`. Absent: they are not.
   */
  readonly canLose?: boolean | undefined
  /**
   * For how long nobody had held the log when it was opened, ms by the sink's
   * clock. To be read after `open()`; absent: not known.
   */
  readonly freeFor?: number | undefined
  /**
   * Aborted, with a `PAWL_CHECKPOINT_LOST`, when somebody else is found to have
   * taken the log: sending stops at once. To be read after `open()`. Nothing rests
   * on it, since every step is refused by then.
   */
  readonly lost?: AbortSignal | undefined
  /**
   * Part records may be held back for so long, ms, to be appended together;
   * control records never are. Absent: 0.
   */
  readonly linger?: number | undefined
  /**
   * Makes sure that the log is still held, and for half a lease at least; needs no
   * request where the last step says so. Called before an object is made. Rejects
   * with `PAWL_CHECKPOINT_LOST`.
   */
  confirm?(): Promise<void>
}
