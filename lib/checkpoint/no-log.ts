/**
 * No log at all, for what goes in one request, or where none is wanted: nothing that a
 * later run could go on with. What a run adds is in its own state and nowhere else.
 */
import type { Checkpoint } from './checkpoint.js'

export const noLog: Checkpoint = {
  name: 'no log',
  open: async () => new Uint8Array(),
  append: async () => undefined,
  setAside: async () => 'no log',
  remove: async () => true,
  close: async () => undefined,
}
