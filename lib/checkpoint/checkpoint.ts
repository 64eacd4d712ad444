/**
 * Where an upload's log is kept. A sink deals in bytes only: what they mean is
 * the codec's business (`record.ts`, FORMAT.md).
 *
 * One upload opens it, appends, and either closes it (the upload can go on
 * later) or removes it (the object is complete). Calls are made one at a time,
 * but for `close()`: it may come while another call hangs, and is itself waited
 * for only as long as a suspension may take.
 */
export interface Checkpoint {
  /** For texts and results; a path for files. */
  readonly name: string

  /**
   * Takes the exclusive hold of the log and returns all bytes in it, none for a
   * new one. Rejects with `PAWL_CHECKPOINT_LOCKED` when another run holds it.
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
}
