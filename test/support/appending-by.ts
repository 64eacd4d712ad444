import type { Checkpoint } from '../../lib/index.js'

/** The same checkpoint, with something done instead of its appends. */
export function appendingBy(
  checkpoint: Checkpoint,
  append: Checkpoint['append'],
  close = () => checkpoint.close(),
): Checkpoint {
  return {
    name: checkpoint.name,
    open: () => checkpoint.open(),
    append,
    setAside: () => checkpoint.setAside(),
    remove: () => checkpoint.remove(),
    close,
  }
}
